//! The application of the end-to-end tests: it answers on port 3000 and ends when it is told to. One file, so that `rustc`
//! alone builds it for an image from scratch.

use std::{io::Write as _, net::TcpListener};

fn main() {
    let Ok(listener) = TcpListener::bind("0.0.0.0:3000") else { std::process::exit(1) };
    for stream in listener.incoming().flatten() {
        let mut stream = stream;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
    }
}
