//! The client's end of a line: `embedded-nal`, as the core's links want it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_nal::{AddrType, Dns, TcpClientStack, nb};
use mqtt_client_core::net::Network;

use super::{Connection, Line, Socket};
use crate::network::{Door, Error, Names};
use crate::pipe::Pipe;

impl TcpClientStack for Line {
    type TcpSocket = Socket;
    type Error = Error;

    fn socket(&mut self) -> Result<Socket, Error> {
        let mut cable = self.0.borrow_mut();
        let left = cable.connections.last_key_value();
        assert!(
            left.is_none_or(|(_, connection)| connection.client_closed),
            "the client has not closed its last socket"
        );
        cable.sockets += 1;
        cable.attempt();
        let connect_done = cable.clock.get() + cable.connect_takes;
        let number = cable.sockets;
        cable.connections.insert(
            number,
            Connection {
                connect_done,
                open: false,
                told_opened: false,
                to_server: Pipe::default(),
                to_client: Pipe::default(),
                dead: false,
                client_closed: false,
                server_ended: false,
                fuse: None,
            },
        );
        Ok(Socket(number))
    }

    fn connect(&mut self, socket: &mut Socket, _: SocketAddr) -> nb::Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        if cable.clock.get() < cable.connection(socket.0).connect_done {
            return Err(nb::Error::WouldBlock);
        }
        match cable.door {
            Door::Silent => Err(nb::Error::WouldBlock),
            Door::Refused => Err(nb::Error::Other(Error::Refused)),
            Door::Untrusted => Err(nb::Error::Other(Error::Untrusted)),
            Door::Open => {
                cable.moves += 1;
                cable.connection(socket.0).open = true;
                cable.tap(|tap| tap.opened(socket.0));
                Ok(())
            }
        }
    }

    fn send(&mut self, socket: &mut Socket, bytes: &[u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        let cable = &mut *cable;
        let piece = cable.piece;
        let window = match cable.stalled_to_server {
            true => cable.window.min(cable.stall_room),
            false => cable.window,
        };
        let connection = cable
            .connections
            .get_mut(&socket.0)
            .expect("an open socket");
        assert!(connection.open && !connection.client_closed, "{socket:?}");
        if let Some(error) = connection.to_client.error_met() {
            return Err(nb::Error::Other(error));
        }
        let room = window.saturating_sub(connection.to_server.len());
        let count = bytes.len().min(piece).min(room);
        if count == 0 {
            cable.tap(|tap| tap.refused_to_write());
            return Err(nb::Error::WouldBlock);
        }
        if connection.dead {
            connection.to_server.swallow(count);
        } else if !connection.server_ended {
            connection
                .to_server
                .push(at, &bytes[..count], &mut cable.rng);
        }
        cable.moves += 1;
        cable.tap(|tap| tap.wrote(&bytes[..count]));
        Ok(count)
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> nb::Result<usize, Error> {
        let mut cable = self.0.borrow_mut();
        let most = buffer.len().min(cable.piece);
        let connection = cable.connection(socket.0);
        assert!(connection.open && !connection.client_closed, "{socket:?}");
        let bytes = connection.to_client.read(most);
        if bytes.is_empty() {
            return Err(match connection.to_client.error_met() {
                Some(error) => nb::Error::Other(error),
                None => nb::Error::WouldBlock,
            });
        }
        buffer[..bytes.len()].copy_from_slice(&bytes);
        // Who brings less than there is room for, and has more, or the end behind it, tells of that.
        let pipe = &connection.to_client;
        let has_more = pipe.has_unread() || pipe.error_met().is_some();
        cable.stirred |= has_more;
        cable.moves += 1;
        Ok(bytes.len())
    }

    fn close(&mut self, socket: Socket) -> Result<(), Error> {
        let mut cable = self.0.borrow_mut();
        let at = cable.arrival_time();
        let resets = cable.rng.bool();
        let now = cable.clock.get();
        let connection = cable.connection(socket.0);
        assert!(!connection.client_closed, "{socket:?} is closed twice");
        connection.client_closed = true;
        // TCP resets a connection that is closed with bytes unread. What arrives after that is answered with a reset too, which comes after
        // all that was written before.
        if resets && connection.to_client.has_unread() {
            connection.to_server.lose();
            connection.to_server.end(now, Error::Reset);
        } else {
            connection.to_server.end(at, Error::Closed);
        }
        let was_open = connection.open;
        cable.moves += 1;
        if was_open {
            cable.tap(|tap| tap.closed());
        }
        Ok(())
    }
}

impl Network for Line {}

impl Dns for Line {
    type Error = Error;

    fn get_host_by_name(&mut self, _: &str, _: AddrType) -> nb::Result<IpAddr, Error> {
        let mut cable = self.0.borrow_mut();
        let now = cable.clock.get();
        let takes = cable.look_up_takes;
        let done = *cable.look_up_done.get_or_insert(now + takes);
        if now < done || cable.names == Names::Silent {
            return Err(nb::Error::WouldBlock);
        }
        cable.look_up_done = None;
        match cable.names {
            Names::Unknown => {
                cable.attempt();
                Err(nb::Error::Other(Error::UnknownName))
            }
            Names::Known | Names::Silent => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        }
    }

    fn get_host_by_address(&mut self, _: IpAddr, _: &mut [u8]) -> nb::Result<usize, Error> {
        Err(nb::Error::Other(Error::UnknownName))
    }
}
