//! Answers of HTTP/1.1 as they come, in any pieces, one after the other on a connection.
//!
//! Not for the open internet: takes what servers of ours send, and refuses the rest.

use anyhow::{Context as _, bail, ensure};

/// An answer with a longer head is none of a server of ours.
const MAX_HEAD: usize = 16 * 1024;

/// Reads answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A head is next.
    #[default]
    Head,
    /// So many bytes of the body are left.
    Length(usize),
    /// The size of a chunk is next.
    Size,
    /// So many bytes of a chunk are left, the line break behind it included.
    Chunk(usize),
    /// The empty line behind the last chunk is next.
    Last,
}

/// What an answer brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Its status.
    Head(u16),
    /// More of its body.
    Body(&'a [u8]),
    /// It is over.
    End,
}

impl Answer {
    /// Handles what is there; returns how much that is.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        mut on_piece: impl FnMut(Piece<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let mut used = 0;
        while let Some(step) = self.step(&bytes[used..], &mut on_piece)? {
            used += step;
        }
        Ok(used)
    }

    /// Handles one part; `None` if it is not there yet.
    fn step(
        &mut self,
        bytes: &[u8],
        on_piece: &mut impl FnMut(Piece<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<usize>> {
        match *self {
            Self::Head => {
                let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
                    ensure!(bytes.len() < MAX_HEAD, "an answer's head has no end");
                    return Ok(None);
                };
                let head = std::str::from_utf8(&bytes[..end]).context("a head that is no text")?;
                let (status, body) = read_head(head)?;
                on_piece(Piece::Head(status))?;
                *self = body;
                if *self == Self::Length(0) {
                    *self = Self::Head;
                    on_piece(Piece::End)?;
                }
                Ok(Some(end + 4))
            }
            Self::Length(left) => {
                let count = left.min(bytes.len());
                if count == 0 {
                    return Ok(None);
                }
                on_piece(Piece::Body(&bytes[..count]))?;
                *self = Self::Length(left - count);
                if count == left {
                    *self = Self::Head;
                    on_piece(Piece::End)?;
                }
                Ok(Some(count))
            }
            Self::Size => {
                let Some(end) = bytes.windows(2).position(|end| end == b"\r\n") else {
                    ensure!(bytes.len() < MAX_HEAD, "a chunk's size has no end");
                    return Ok(None);
                };
                let size = std::str::from_utf8(&bytes[..end]).context("a size that is no text")?;
                let size = usize::from_str_radix(size, 16)
                    .with_context(|| format!("`{size}` is no chunk's size"))?;
                *self = match size {
                    0 => Self::Last,
                    size => Self::Chunk(size + 2),
                };
                Ok(Some(end + 2))
            }
            Self::Chunk(left) => {
                let count = left.min(bytes.len());
                if count == 0 {
                    return Ok(None);
                }
                // What it ends in is no part of the body.
                let body = count.min(left.saturating_sub(2));
                if body > 0 {
                    on_piece(Piece::Body(&bytes[..body]))?;
                }
                *self = match left - count {
                    0 => Self::Size,
                    left => Self::Chunk(left),
                };
                Ok(Some(count))
            }
            Self::Last => {
                if bytes.len() < 2 {
                    return Ok(None);
                }
                ensure!(bytes.starts_with(b"\r\n"), "an answer with a trailer");
                *self = Self::Head;
                on_piece(Piece::End)?;
                Ok(Some(2))
            }
        }
    }
}

/// The status of an answer, and what comes behind its head.
fn read_head(head: &str) -> anyhow::Result<(u16, Answer)> {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("`{first}` begins no answer"))?;
    if status == 204 {
        return Ok((status, Answer::Length(0)));
    }
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            return Ok((status, Answer::Length(value.parse()?)));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked" {
            return Ok((status, Answer::Size));
        }
    }
    bail!("an answer of no length: {head}")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Answer, Piece};

    const TWO: &str = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ntransfer-encoding: \
                       chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

    /// What is read when it comes in parts of this size: `201:hello;200:abc…`.
    fn read(text: &str, size: usize) -> anyhow::Result<String> {
        let (mut answer, mut read, mut rest) = (Answer::default(), String::new(), Vec::new());
        for part in text.as_bytes().chunks(size) {
            rest.extend_from_slice(part);
            let used = answer.take(&rest, |piece| {
                match piece {
                    Piece::Head(status) => write!(read, "{status}:")?,
                    Piece::Body(part) => read += std::str::from_utf8(part)?,
                    Piece::End => read += ";",
                }
                Ok(())
            })?;
            rest.drain(..used);
        }
        Ok(read)
    }

    #[test]
    fn answers_are_read_in_any_pieces() {
        for size in 1..=TWO.len() {
            let read = read(TWO, size).unwrap();
            assert_eq!(read, "201:hello;200:abc0123456789;204:;", "{size}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n",
        ] {
            assert!(read(text, 7).is_err(), "{text}");
        }
    }
}
