//! One request, as a customer's program makes it: connect, ask, read to the end, close.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::TIME_LIMIT;
use super::figures::Failure;
use crate::lab::Lab;
use crate::plan;
use crate::server::{dns, nginx};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

/// Who asks whom, and how patiently.
pub struct Asker {
    /// The customers' addresses, IPv4 and IPv6 by turns.
    pub sources: Vec<IpAddr>,
    /// The server's address in IPv4 and in IPv6.
    pub servers: [IpAddr; 2],
    /// For a whole request.
    pub time_limit: Duration,
}

impl Asker {
    /// All of a lab's customers and its first pod.
    pub fn of(lab: &Lab) -> Asker {
        Asker {
            sources: plan::customers(lab.shape().customers),
            servers: [IpAddr::V4(plan::pod_v4(0)), IpAddr::V6(plan::pod_v6(0))],
            time_limit: TIME_LIMIT,
        }
    }

    /// The ends of the request with this number.
    fn ends(&self, number: u64, port: u16) -> (SocketAddr, SocketAddr) {
        let source = self.sources[(number % self.sources.len() as u64) as usize];
        let server = self.servers[usize::from(source.is_ipv6())];
        (SocketAddr::new(source, 0), SocketAddr::new(server, port))
    }

    /// Fetches the page.
    pub async fn page(&self, number: u64, port: u16) -> Result<Duration, Failure> {
        let (from, to) = self.ends(number, port);
        let start = Instant::now();
        let deadline = start + self.time_limit;
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|_| Failure::Local)?;
        socket.bind(from).map_err(|_| Failure::Local)?;
        let connected = timeout_at(deadline, socket.connect(to)).await.map_err(|_| Failure::ConnectTimeout)?;
        let mut stream = connected.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Failure::Refused,
            ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => Failure::Local,
            _ => Failure::Unreachable,
        })?;
        let mut answer = Vec::with_capacity(nginx::PAGE + 512);
        let exchange = async {
            stream.write_all(REQUEST).await?;
            stream.read_to_end(&mut answer).await
        };
        timeout_at(deadline, exchange).await.map_err(|_| Failure::AnswerTimeout)?.map_err(|_| Failure::Broken)?;
        let whole = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(&[b'w'; nginx::PAGE]);
        if whole { Ok(start.elapsed()) } else { Err(Failure::Wrong) }
    }

    /// Asks for the name.
    pub async fn name(&self, number: u64, port: u16) -> Result<Duration, Failure> {
        let (from, to) = self.ends(number, port);
        let start = Instant::now();
        let socket = UdpSocket::bind(from).await.map_err(|_| Failure::Local)?;
        socket.connect(to).await.map_err(|_| Failure::Unreachable)?;
        let id = number as u16;
        let mut answer = [0; 512];
        let exchange = async {
            socket.send(&dns::question(id)).await?;
            socket.recv(&mut answer).await
        };
        let deadline = start + self.time_limit;
        let answered = timeout_at(deadline, exchange).await.map_err(|_| Failure::AnswerTimeout)?;
        let length = answered.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            _ => Failure::Unreachable,
        })?;
        let whole = length > 16 && answer[..2] == id.to_be_bytes() && answer[..length].ends_with(&[192, 0, 2, 10]);
        if whole { Ok(start.elapsed()) } else { Err(Failure::Wrong) }
    }
}
