//! The `tcp` check: something listens, and says what is expected.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connect::{self, Connection};
use super::deadline::Deadline;
use super::reason::{Miss, Reason, Short, answer};
use super::surroundings::Surroundings;
use crate::base::time::Span;
use crate::kernel::answer::Answer;
use crate::manifest::check::{Tcp, TcpTalk};

/// How much of what comes back is looked through, in bytes.
const LIMIT: usize = 1 << 20;

/// Asks once; the timeout covers everything from the host's name to the expected text.
pub async fn look(check: &Tcp, surroundings: &Surroundings, timeout: Span) -> Answer {
    answer(match check {
        Tcp::Address(address) => ask(&TcpTalk { address: Some(address.clone()), ..TcpTalk::default() }, surroundings, timeout).await,
        Tcp::Talk(talk) => ask(talk, surroundings, timeout).await,
    })
}

async fn ask(talk: &TcpTalk, surroundings: &Surroundings, timeout: Span) -> Result<String, Miss> {
    let mut deadline = Deadline::new(timeout);
    let Connection { mut wire, peer } = match (&talk.address, &talk.unix) {
        (Some(address), None) => {
            let (host, port) = split(address)?;
            connect::tcp(host, port, &mut deadline).await?
        }
        (None, Some(path)) => connect::unix(&surroundings.path(path), &mut deadline).await?,
        _ => return Err(Miss::new(Reason::Invalid, "a tcp check needs either an address or a Unix socket")),
    };
    if let Some(send) = &talk.send {
        let sent = deadline.bound(&format!("{peer} did not take what was sent"), wire.write_all(send.as_bytes())).await?;
        sent.map_err(|error| connect::failed(&error, &peer))?;
    }
    let Some(expect) = &talk.expect else { return Ok(format!("{peer} accepts connections")) };
    let wanted = Short(expect);
    let mut came = Vec::new();
    while !holds(&came, expect.as_bytes()) {
        if came.len() >= LIMIT {
            return Err(Miss::new(Reason::TooLarge, format!("no {wanted} in the first {} MiB from {peer}", LIMIT >> 20)));
        }
        let read = deadline.bound(&format!("no {wanted} from {peer}"), wire.read_buf(&mut came)).await?;
        let closed = match read {
            Ok(bytes) => bytes == 0,
            Err(error) => match connect::failed(&error, &peer) {
                Miss { reason: Reason::Closed, .. } => true,
                miss => return Err(miss),
            },
        };
        match (closed, came.is_empty()) {
            (false, _) => {}
            (true, true) => return Err(Miss::new(Reason::Closed, format!("{peer} closed the connection without an answer"))),
            (true, false) => {
                let text = String::from_utf8_lossy(&came);
                return Err(Miss::new(Reason::Content, format!("{peer} said {}, wanted {wanted}", Short(&text))));
            }
        }
    }
    Ok(format!("{peer} said {wanted}"))
}

/// `host:port`, `[::1]:port`.
fn split(address: &str) -> Result<(&str, u16), Miss> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| Miss::new(Reason::Invalid, format!("{} is not an address like host:port", Short(address))))?;
    Ok((host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port))
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
