//! How one process takes the sockets of another, which runs and has clients.
//!
//! The sockets themselves are passed (SCM_RIGHTS, see unix(7)), so there is one queue of new
//! connections all the time and none is lost. With SO_REUSEPORT each process would have a queue of
//! its own, and what is in the old one's when it closes is reset.

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener as StdListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::EdgeError;
use super::control::private_socket;
use super::defaults::{MAX_LISTENERS, TAKE_OVER};
use super::listen::Place;
use super::worker::Inner;

const SOCKET: &str = "handover.sock";
/// Said by the process that has taken over.
const DONE: u8 = b'.';
/// Room for what is said of the sockets.
const MAX_PLACES: usize = 64 * 1024;

/// A take-over that is not done yet: until then the other process goes on as if nothing happened.
#[derive(Debug)]
pub struct Taken(UnixStream);

impl Taken {
    /// Tells the other process to leave.
    pub async fn done(self) -> Result<(), EdgeError> {
        let Self(mut stream) = self;
        let said = spawn_blocking(move || stream.write_all(&[DONE])).await;
        said.map_err(io::Error::other).flatten().map_err(failed)
    }
}

fn failed(error: io::Error) -> EdgeError {
    EdgeError::TakeOver {
        reason: error.to_string(),
    }
}

/// Asks the process that runs for its sockets.
pub async fn take(folder: &Path) -> Result<(Taken, HashMap<Place, TcpListener>), EdgeError> {
    let path = folder.join(SOCKET);
    let received = spawn_blocking(move || {
        let stream = UnixStream::connect(path)?;
        let received = receive(&stream)?;
        Ok::<_, io::Error>((stream, received))
    });
    let (stream, received) = received
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed)?;
    let mut sockets = HashMap::new();
    for (place, socket) in received {
        let socket = StdListener::from(socket);
        socket.set_nonblocking(true).map_err(failed)?;
        sockets.insert(place, TcpListener::from_std(socket).map_err(failed)?);
    }
    Ok((Taken(stream), sockets))
}

/// Hands the sockets over to whoever asks: the socket is in a folder that is the owner's alone.
pub fn serve(inner: &Arc<Inner>) -> Result<(), EdgeError> {
    let socket = private_socket(&inner.folder, SOCKET)?;
    let inner = inner.clone();
    tokio::spawn(async move {
        let over = inner.over.clone();
        over.run_until_cancelled(async {
            while let Ok((stream, _)) = socket.accept().await {
                let Ok(stream) = stream.into_std() else {
                    continue;
                };
                // Routes stay what they are until it is done, or has failed.
                let changing = inner.changing.clone().lock_owned().await;
                let sockets = inner.listeners.sockets();
                let handed = spawn_blocking(move || hand_over(stream, &sockets)).await;
                if let Ok(Ok(())) = handed {
                    inner.handed_over.cancel();
                    return;
                }
                drop(changing);
            }
        })
        .await;
    });
    Ok(())
}

fn hand_over(mut stream: UnixStream, sockets: &[(Place, Arc<TcpListener>)]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TAKE_OVER))?;
    stream.set_write_timeout(Some(TAKE_OVER))?;
    let places: Vec<Place> = sockets.iter().map(|(place, _)| *place).collect();
    let places = serde_json::to_vec(&places)?;
    let length = u32::try_from(places.len())
        .map_err(io::Error::other)?
        .to_be_bytes();
    let fds: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LISTENERS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("too many sockets for one message"));
    }
    sendmsg(
        &stream,
        &[IoSlice::new(&length)],
        &mut control,
        SendFlags::empty(),
    )?;
    stream.write_all(&places)?;
    let mut said = [0];
    stream.read_exact(&mut said)?;
    match said {
        [DONE] => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<(Place, OwnedFd)>> {
    stream.set_read_timeout(Some(TAKE_OVER))?;
    stream.set_write_timeout(Some(TAKE_OVER))?;
    let mut length = [0; 4];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_LISTENERS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut length)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sockets) = message {
            fds.extend(sockets);
        }
    }
    let length = u32::from_be_bytes(length) as usize;
    if received.bytes != 4 || length > MAX_PLACES {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut places = vec![0; length];
    (&mut &*stream).read_exact(&mut places)?;
    let places: Vec<Place> = serde_json::from_slice(&places)?;
    match places.len() == fds.len() {
        true => Ok(places.into_iter().zip(fds).collect()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}
