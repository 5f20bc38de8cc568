//! A client that costs little: HTTP/1.1 over connections that stay open, each with one request at a time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer is read in pieces of so many bytes at first.
const BUFFER: usize = 64 * 1024;

/// Requests to one server that are sent in turn, byte by byte as they go out.
pub struct Requests(Vec<Vec<u8>>);

impl Requests {
    /// GraphQL requests.
    pub fn post(token: Option<&str>, bodies: impl Iterator<Item = Value>) -> Self {
        let login = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let request = |body: Value| {
            let body = body.to_string();
            let length = body.len();
            format!(
                "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\n{login}content-type: application/json\r\n\
                 accept: application/graphql-response+json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        Self(bodies.map(request).collect())
    }

    /// Requests of paths.
    pub fn get(paths: impl Iterator<Item = String>) -> Self {
        Self(paths.map(|path| format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()).collect())
    }

    /// How many differ.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a slice of time showed: of each request how long it took.
pub struct Answered {
    pub latencies: Vec<Duration>,
    pub elapsed: Duration,
}

/// Sends requests over so many connections for so long.
pub async fn load(address: &str, requests: &Requests, connections: usize, time: Duration) -> Result<Answered> {
    let opened = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
    let began = Instant::now();
    let until = began + time;
    let each = opened.into_iter().enumerate().map(|(first, mut connection)| async move {
        let mut latencies = Vec::new();
        for request in requests.0.iter().cycle().skip(first % requests.len()) {
            let sent = Instant::now();
            if sent >= until {
                break;
            }
            connection.answer(request).await?;
            latencies.push(sent.elapsed());
        }
        anyhow::Ok(latencies)
    });
    let latencies = try_join_all(each).await?.concat();
    Ok(Answered { latencies, elapsed: began.elapsed() })
}

/// Sends each request once over one connection: how long each took, and its answer.
pub async fn once(address: &str, requests: &Requests) -> Result<Vec<(Duration, Value)>> {
    let mut connection = Connection::open(address).await?;
    let mut answers = Vec::new();
    for request in &requests.0 {
        let sent = Instant::now();
        let answer = connection.answer(request).await?;
        answers.push((sent.elapsed(), serde_json::from_slice(answer)?));
    }
    Ok(answers)
}

/// What each request is answered with.
pub async fn answers(address: &str, requests: &Requests) -> Result<Vec<Value>> {
    Ok(once(address, requests).await?.into_iter().map(|(_, answer)| answer).collect())
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Sends a request and gives the body of the answer, which must be data without errors.
    async fn answer(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let body = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server hung up");
            filled += read;
            if let Some(body) = body(&self.buffer[..filled])? {
                break body;
            }
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
        };
        while filled < body.end {
            self.buffer.resize(self.buffer.len().max(body.end), 0);
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server hung up in the middle of an answer");
            filled += read;
        }
        let body = &self.buffer[body];
        if !(body.starts_with(b"{\"data\"") && body.ends_with(b"}")) {
            bail!("an answer is {}", String::from_utf8_lossy(&body[..body.len().min(1000)]));
        }
        Ok(body)
    }
}

/// Where the body of an answer lies, once its head is there.
fn body(answer: &[u8]) -> Result<Option<std::ops::Range<usize>>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let begin = head + 4;
    let head = std::str::from_utf8(&answer[..head])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = length.with_context(|| format!("an answer without a length: {head}"))??;
    Ok(Some(begin..begin + length))
}
