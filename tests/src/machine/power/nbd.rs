//! How does an emulator reach a disk that is in this process? By NBD, the network block device's protocol: its "fixed newstyle" handshake, simple
//! replies, and no more commands than the emulator needs.
//!
//! Source: <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use super::disk::Disk;

/// Flags of the handshake: fixed newstyle, and no padding.
const NEWSTYLE: u16 = 1 | 1 << 1;

const OPTION_ABORT: u32 = 2;
const OPTION_GO: u32 = 7;

const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = 1 << 31 | 1;

/// What is told about the disk: that there are flags, and that it can be flushed.
const EXPORT: u16 = 1 | 1 << 2;

const REQUEST_MAGIC: u32 = 0x2560_9513;
const ANSWER_MAGIC: u32 = 0x6744_6698;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// The most that is read or written at once; the protocol's usual limit.
const MOST: usize = 32 << 20;

/// Serves one emulator until it ends, or the disk has no power: then it gets no answer any more.
pub fn serve(mut stream: &UnixStream, disk: &Disk) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    shake_hands(&mut reader, stream, disk)?;
    loop {
        let [magic, flags_and_command] = [u32_of(&mut reader)?, u32_of(&mut reader)?];
        let (cookie, at) = (u64_of(&mut reader)?, u64_of(&mut reader)?);
        let length = length_of(&mut reader)?;
        let at = usize::try_from(at).map_err(io::Error::other)?;
        if magic != REQUEST_MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut answer = Vec::new();
        answer.extend(ANSWER_MAGIC.to_be_bytes());
        answer.extend(0_u32.to_be_bytes());
        answer.extend(cookie.to_be_bytes());
        let done = match (flags_and_command & 0xffff) as u16 {
            READ => disk.read(at, length).map(|bytes| answer.extend(bytes)),
            WRITE => {
                let mut bytes = vec![0; length];
                reader.read_exact(&mut bytes)?;
                disk.write(at, bytes)
            }
            FLUSH => disk.flush(),
            DISCONNECT => return Ok(()),
            other => return Err(io::Error::other(format!("the command {other}"))),
        };
        if done.is_some() {
            stream.write_all(&answer)?;
        }
    }
}

fn shake_hands(reader: &mut impl Read, mut stream: &UnixStream, disk: &Disk) -> io::Result<()> {
    stream.write_all(b"NBDMAGICIHAVEOPT")?;
    stream.write_all(&NEWSTYLE.to_be_bytes())?;
    let _flags = u32_of(reader)?;
    loop {
        let _magic = u64_of(reader)?;
        let option = u32_of(reader)?;
        let mut data = vec![0; length_of(reader)?];
        reader.read_exact(&mut data)?;
        let mut reply = |kind: u32, data: &[u8]| {
            let length = data.len() as u32;
            let mut bytes = REPLY_MAGIC.to_be_bytes().to_vec();
            bytes.extend([option, kind, length].map(u32::to_be_bytes).concat());
            bytes.extend(data);
            stream.write_all(&bytes)
        };
        match option {
            OPTION_GO => {
                // NBD_INFO_EXPORT.
                let mut info = 0_u16.to_be_bytes().to_vec();
                info.extend((disk.size() as u64).to_be_bytes());
                info.extend(EXPORT.to_be_bytes());
                reply(REPLY_INFO, &info)?;
                return reply(REPLY_ACK, &[]);
            }
            OPTION_ABORT => return Err(io::ErrorKind::ConnectionAborted.into()),
            _ => reply(REPLY_UNSUPPORTED, &[])?,
        }
    }
}

fn u32_of(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn u64_of(reader: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

fn length_of(reader: &mut impl Read) -> io::Result<usize> {
    let length = u32_of(reader)? as usize;
    if length > MOST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(length)
}
