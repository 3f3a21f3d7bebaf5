//! An HTTP proxy's answer.
//!
//! - Where `httparse` reads a whole head, the answer ends with the same byte, and says the same status: the bytes behind it are the peer's.
//! - It ends within its limit, whatever comes, and what is kept of it within another.
//! - Nothing that may become an answer is given up when it pauses.

use mqtt_client_core::net::proxy::{Answer, MAX_ANSWER, Refusal};

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// So many bytes of it, and the tunnel is there.
    Through(usize),
    Refused(Refusal),
    /// It goes on.
    Open,
}

/// Checks one answer, and whatever comes behind it.
pub fn check(bytes: &[u8]) {
    let mut answer = Answer::default();
    let mut end = End::Open;
    for (at, byte) in bytes.iter().enumerate() {
        assert!(at <= usize::from(MAX_ANSWER), "it is too long");
        if is_head(&bytes[..at]) {
            assert_eq!(answer.paused(), Ok(()), "it is HTTP so far");
        }
        end = match answer.take(*byte) {
            Ok(false) => continue,
            Ok(true) => End::Through(at + 1),
            Err(refusal) => End::Refused(refusal),
        };
        break;
    }
    assert!(answer.status_line().len() <= 64);
    if let Some(expected) = expected(bytes) {
        assert_eq!(end, expected);
    }
}

/// Whether all of it may be the beginning of a status line.
fn is_head(bytes: &[u8]) -> bool {
    b"HTTP/1.1 200 OK".starts_with(bytes)
}

/// What `httparse` makes of it; `None` where it is stricter, or a head is not whole.
fn expected(bytes: &[u8]) -> Option<End> {
    let mut begun = 0;
    loop {
        let rest = &bytes[begun..];
        // It passes over empty lines in front.
        if !rest.starts_with(b"HTTP/1.") {
            return None;
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = response.parse(rest) else {
            return None;
        };
        begun += length;
        if begun > usize::from(MAX_ANSWER) {
            return None;
        }
        match response.code? {
            100 | 102..=199 => {}
            200..=299 => return Some(End::Through(begun)),
            status => return Some(End::Refused(Refusal::Status(status))),
        }
    }
}
