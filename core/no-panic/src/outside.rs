//! What comes from outside: values of which the optimiser knows nothing.

use core::fmt::{self, Display, Formatter};
use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_nal::{AddrType, Dns, TcpClientStack, TcpError, TcpErrorKind, nb};
use mqtt_client_core::mqtt::packet::Packet;
use mqtt_client_core::net::NetworkError;
use mqtt_client_core::observer::Observer;

use crate::sink::show;

/// A place that the optimiser must not rule out, by the name of a function that does not exist. Without `--cfg mined` it is
/// nothing.
macro_rules! mine {
    ($name:ident) => {{
        #[cfg(mined)]
        {
            unsafe extern "C" {
                safe fn $name();
            }
            $name();
        }
    }};
}
pub(crate) use mine;

/// A slice of unknown length and contents.
pub fn unknown<T>(slice: &mut [T]) -> &mut [T] {
    black_box(slice)
}

/// A network that may answer anything.
pub struct Network;

pub struct Socket;

pub struct Error;

/// The answer to a call that may succeed, have to wait, or fail.
fn answer<T>(value: T) -> nb::Result<T, Error> {
    match black_box(1_u8) {
        0 => Ok(value),
        1 => Err(nb::Error::WouldBlock),
        _ => Err(nb::Error::Other(Error)),
    }
}

impl TcpClientStack for Network {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        mine!(mine_socket);
        black_box(true).then_some(Socket).ok_or(Error)
    }

    fn connect(&mut self, _: &mut Socket, address: SocketAddr) -> nb::Result<(), Error> {
        mine!(mine_connect);
        black_box(address);
        answer(())
    }

    fn send(&mut self, _: &mut Socket, bytes: &[u8]) -> nb::Result<usize, Error> {
        if black_box(bytes).starts_with(b"*3\r\n$9\r\nSUBSCRIBE") {
            mine!(mine_subscribe);
        }
        answer(black_box(0))
    }

    fn receive(&mut self, _: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        black_box(buffer);
        answer(black_box(0))
    }

    fn close(&mut self, _: Socket) -> Result<(), Error> {
        mine!(mine_close);
        black_box(true).then_some(()).ok_or(Error)
    }
}

impl mqtt_client_core::net::Network for Network {
    fn secure(&mut self, _: &mut Socket) -> nb::Result<(), Error> {
        mine!(mine_secure);
        answer(())
    }
}

impl Dns for Network {
    type Error = Error;

    fn get_host_by_name(&mut self, name: &str, _: AddrType) -> nb::Result<IpAddr, Error> {
        black_box(name);
        answer(IpAddr::V4(Ipv4Addr::from_bits(black_box(0))))
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        answer(black_box(0))
    }
}

impl TcpError for Error {
    fn kind(&self) -> TcpErrorKind {
        if black_box(true) {
            TcpErrorKind::PipeClosed
        } else {
            TcpErrorKind::Other
        }
    }
}

impl NetworkError for Error {
    fn is_permanent(&self) -> bool {
        black_box(true)
    }
}

impl core::fmt::Debug for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Error")
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(black_box(""))
    }
}

/// Sees everything, and shows it.
pub struct Watcher;

impl Observer for Watcher {
    fn redis_message(&mut self, channel: &[u8], message: &[u8]) {
        mine!(mine_redis_message);
        black_box((channel, message));
    }

    fn sees_packets(&self) -> bool {
        black_box(true)
    }

    fn packet_sent(&mut self, device: &str, packet: &Packet<'_>) {
        // What the image is there to find.
        #[cfg(mined)]
        black_box(device.as_bytes()[black_box(0)]);
        match packet {
            Packet::Publish(publish) if publish.dup => mine!(mine_publish_again),
            Packet::Publish(_) => mine!(mine_publish),
            Packet::Pubrel { .. } => mine!(mine_pubrel),
            Packet::Connect(_) => mine!(mine_connect_packet),
            Packet::Pingreq => mine!(mine_pingreq),
            Packet::Disconnect(None) => mine!(mine_disconnect),
            Packet::Disconnect(Some(_)) => mine!(mine_disconnect_for),
            Packet::Answer { .. } | Packet::Incoming(_) | Packet::IncomingV5(_) => {}
        }
        show(format_args!("{} {device}{packet}", packet.name()));
    }

    fn packet_received(&mut self, device: &str, packet: &Packet<'_>) {
        match packet.name() {
            "CONNACK" => mine!(mine_connack),
            "PUBCOMP" => mine!(mine_pubcomp),
            "DISCONNECT" => mine!(mine_disconnect_by_the_broker),
            _ => {}
        }
        show(format_args!("{} {device}{packet}", packet.name()));
    }
}
