//! A web server that costs next to nothing: it hands files to the kernel.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use crate::Result;

pub struct Server {
    pub address: std::net::SocketAddr,
    document: Arc<Mutex<PathBuf>>,
}

impl Server {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let document = Arc::new(Mutex::new(PathBuf::new()));
        let server = Self {
            address: listener.local_addr()?,
            document: Arc::clone(&document),
        };
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let path = document.lock().map(|path| path.clone()).unwrap_or_default();
                if let Err(error) = answer(stream, &path) {
                    eprintln!("the bench's server: {error}");
                }
            }
        });
        Ok(server)
    }

    /// What every request is answered with from now on.
    pub fn serve(&self, document: &Path) {
        if let Ok(mut path) = self.document.lock() {
            document.clone_into(&mut path);
        }
    }
}

fn answer(mut stream: TcpStream, document: &Path) -> io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut file = File::open(document)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it plays upstream, whose clock is the machine's"
    )]
    let date = httpdate::fmt_http_date(SystemTime::now());
    let length = file.metadata()?.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nDate: {date}\r\nConnection: close\r\n\r\n"
    )?;
    // On Linux this is sendfile(2).
    io::copy(&mut file, &mut stream)?;
    Ok(())
}
