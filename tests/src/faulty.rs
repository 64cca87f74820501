//! A way to a registry that fails as networks and busy registries do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// It is passed on.
    Pass,
    /// It is answered with this status, and not passed on.
    Status(&'static str),
    /// Of the answer this many bytes come, and then the connection ends.
    Cut(usize),
    /// The answer's bytes are changed on their way: `from` becomes `to`, of the same length.
    Change(&'static [u8], &'static [u8]),
    /// Of the answer this many bytes come, then nothing more, and the connection stays.
    Stall(usize),
    /// The answer is all right, and never ends.
    Flood,
}

type Judge = Box<dyn Fn(&str) -> Fate + Send + Sync>;

/// A listener before a registry.
pub struct Faulty {
    /// Where it listens.
    pub host: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Faulty {
    /// Listens before `registry`, and asks `judge` about each request, by its first line.
    pub fn before(registry: &str, judge: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("bound").to_string();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, registry) = (requests.clone(), registry.to_owned());
        let judge: Arc<Judge> = Arc::new(Box::new(judge));
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (seen, registry, judge) = (seen.clone(), registry.clone(), judge.clone());
                thread::spawn(move || {
                    let _ = serve(client, &registry, &seen, &judge);
                });
            }
        });
        Self { host, requests }
    }

    /// The first lines of all requests so far, and the range that each asked for.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

/// What a request begins with.
pub(crate) struct Head(String);

impl Head {
    /// Reads it; `None` if there is no request.
    pub fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if client.read(&mut byte)? == 0 {
                return Ok(None);
            }
            head.push(byte[0]);
        }
        Ok(Some(Self(String::from_utf8_lossy(&head).into_owned())))
    }

    /// Its first line.
    pub fn line(&self) -> String {
        self.0.lines().next().unwrap_or_default().to_owned()
    }

    /// A header, by its name in small letters with the colon.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.0.lines();
        let found = lines.find(|line| line.to_lowercase().starts_with(name));
        found.map(|line| line[name.len()..].trim().to_owned())
    }

    /// What comes behind it.
    pub fn body(&self, client: &TcpStream) -> io::Result<Vec<u8>> {
        let length = self.header("content-length:");
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = Vec::new();
        client.take(length).read_to_end(&mut body)?;
        Ok(body)
    }

    /// Passes the request on without some headers, and reads the whole answer.
    pub fn pass_on(
        &self,
        client: &TcpStream,
        registry: &str,
        without: &[&str],
    ) -> io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(registry)?;
        let mut lines: Vec<_> = self.0.trim_end().lines().map(str::to_owned).collect();
        lines.retain(|line| {
            let line = line.to_lowercase();
            !without.iter().any(|name| line.starts_with(name))
        });
        lines.push("Connection: close".to_owned());
        upstream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())?;
        upstream.write_all(&self.body(client)?)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// One request for each connection: it is closed after the answer.
fn serve(
    mut client: TcpStream,
    registry: &str,
    seen: &Mutex<Vec<String>>,
    judge: &Judge,
) -> io::Result<()> {
    let Some(head) = Head::read(&mut client)? else {
        return Ok(());
    };
    let line = head.line();
    let range = head.header("range:");
    let range = range.map_or_else(String::new, |range| format!(" {range}"));
    seen.lock()
        .expect("no panic")
        .push(format!("{line}{range}"));
    let fate = judge(&line);
    if let Fate::Status(status) = fate {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return client.write_all(answer.as_bytes());
    }
    if let Fate::Flood = fate {
        client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        // Until the other side has had enough.
        while client.write_all(&[b' '; 4096]).is_ok() {}
        return Ok(());
    }
    let mut answer = head.pass_on(&client, registry, &["connection:"])?;
    match fate {
        Fate::Stall(bytes) => {
            answer.truncate(bytes);
            client.write_all(&answer)?;
            // Until the other side has had enough.
            let _ = client.read(&mut [0]);
            return Ok(());
        }
        Fate::Cut(bytes) => answer.truncate(bytes),
        Fate::Change(from, to) => {
            assert_eq!(from.len(), to.len());
            let mut at = 0;
            while let Some(found) = answer[at..]
                .windows(from.len())
                .position(|part| part == from)
            {
                at += found;
                answer[at..at + to.len()].copy_from_slice(to);
            }
        }
        _ => {}
    }
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Both)
}
