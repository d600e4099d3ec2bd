//! As much of HTTP/1.1 as Kubernetes clients speak without ALPN.

use std::io::{self, BufRead, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::objects::{Objects, Watch};

/// A request as it arrives.
pub struct Received {
    pub method: String,
    /// With query.
    pub path: String,
    /// Whether its answer may be compressed.
    pub gzip: bool,
    pub body: Option<Json>,
}

/// The next request; `None` when there is none.
pub fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let (mut length, mut gzip) = (0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? <= 2 {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        gzip |= name.eq_ignore_ascii_case("accept-encoding") && value.contains("gzip");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    Ok(Some(Received { method, path, gzip, body: serde_json::from_slice(&body).ok() }))
}

/// Bytes from which on an answer is compressed; API servers begin at 128 KiB.
const COMPRESSED: usize = 1 << 10;

fn compressed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

pub enum Answer {
    Whole { status: u16, kind: &'static str, body: Vec<u8> },
    Events(Watch),
}

impl Answer {
    pub fn json(status: u16, document: &Json) -> Self {
        Self::Whole { status, kind: "application/json", body: document.to_string().into_bytes() }
    }

    pub fn text(status: u16, text: &str) -> Self {
        Self::Whole { status, kind: "text/plain; charset=utf-8", body: text.as_bytes().to_vec() }
    }

    /// An error as the API tells it.
    pub fn status(code: u16, message: &str) -> Self {
        let reason = match code {
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "AlreadyExists",
            410 => "Expired",
            _ => "InternalError",
        };
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code });
        Self::json(code, &status)
    }

    pub fn write(self, stream: &mut (impl Write + Read), gzip: bool, objects: &Objects) -> io::Result<()> {
        match self {
            Self::Whole { status, kind, body } => {
                let (encoding, body) = match gzip && body.len() >= COMPRESSED {
                    true => ("content-encoding: gzip\r\n", compressed(&body)?),
                    false => ("", body),
                };
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n{encoding}content-length: {length}\r\n\r\n")?;
                stream.write_all(&body)?;
                stream.flush()
            }
            Self::Events(mut watch) => {
                stream.write_all(b"HTTP/1.1 200 -\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
                stream.flush()?;
                while let Some(event) = objects.next_event(&mut watch) {
                    let line = format!("{event}\n");
                    write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
                    stream.flush()?;
                }
                stream.write_all(b"0\r\n\r\n")?;
                stream.flush()
            }
        }
    }
}
