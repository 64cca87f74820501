//! A proxy as companies have them: asked for a tunnel, it makes one, and it knows names that nobody else does.

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::faulty::Head;

/// A proxy, all of whose tunnels lead to one registry.
pub struct Tunnel {
    /// Where it listens.
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    /// Listens; whatever host is asked for is `registry`.
    pub fn to(registry: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("bound").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, registry) = (asked.clone(), registry.to_owned());
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (seen, registry) = (seen.clone(), registry.clone());
                thread::spawn(move || {
                    let _ = serve(client, &registry, &seen);
                });
            }
        });
        Self { host, asked }
    }

    /// The first lines of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

fn serve(mut client: TcpStream, registry: &str, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let Some(head) = Head::read(&mut client)? else {
        return Ok(());
    };
    let line = head.line();
    let wanted = line.starts_with("CONNECT ");
    seen.lock().expect("no panic").push(line);
    if !wanted {
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes());
    }
    let server = TcpStream::connect(registry)?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (there, back) = (
        pass(client.try_clone()?, server.try_clone()?),
        (server, client),
    );
    io::copy(&mut &back.0, &mut &back.1)?;
    back.1.shutdown(Shutdown::Write)?;
    there.join().expect("no panic")
}

/// Passes on all that comes from one side.
fn pass(from: TcpStream, to: TcpStream) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        io::copy(&mut &from, &mut &to)?;
        to.shutdown(Shutdown::Write)
    })
}
