//! A server for tests under load, which costs next to nothing: every request on a connection that is
//! kept gets the same page. It is built by itself, into a program that needs no libraries.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\nhello\n";
/// What a request of the tests is shorter than.
const MOST: usize = 16 * 1024;

fn main() {
    let listener = TcpListener::bind("0.0.0.0:8080").expect("the port");
    for client in listener.incoming().flatten() {
        // A connection that breaks off is the client's business.
        std::thread::spawn(|| serve(client).ok());
    }
}

fn serve(mut client: TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let (mut buffer, mut length) = ([0; MOST], 0);
    loop {
        match client.read(&mut buffer[length..])? {
            0 => return Ok(()),
            count => length += count,
        }
        // None of them has a body.
        if buffer[..length].ends_with(b"\r\n\r\n") {
            client.write_all(ANSWER)?;
            length = 0;
        }
    }
}
