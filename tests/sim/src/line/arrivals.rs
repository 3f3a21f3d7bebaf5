//! What arrives at either end of a line, and what breaks on the way.

use super::{Cable, Cut, Direction, Event};
use crate::network::Error;
use crate::pipe::Arrival;

impl Cable {
    pub(super) fn break_connection(&mut self, number: u32, how: Cut) {
        let now = self.clock.get();
        let connection = self.connection(number);
        if connection.dead || connection.client_closed {
            return;
        }
        connection.fuse = None;
        match how {
            Cut::Fin => connection.to_client.end(now, Error::Closed),
            Cut::Reset => {
                connection.to_server.lose();
                connection.to_client.lose();
                connection.to_client.end(now, Error::Reset);
            }
            Cut::Silent => {
                connection.dead = true;
                connection.to_server.lose();
                connection.to_client.lose();
                self.dead.push(number);
                return;
            }
        }
        connection.server_ended = true;
        self.stirred = true;
    }

    pub(super) fn arrive_at_client(&mut self, number: u32) {
        if self.stalled_to_client {
            return;
        }
        let now = self.clock.get();
        let fuse = match self.connection(number).fuse {
            Some((Direction::ToClient, bytes, how)) => Some((bytes, how)),
            _ => None,
        };
        let limit = fuse.map_or(usize::MAX, |(bytes, _)| bytes);
        let arrived = self.connection(number).to_client.arrive(now, limit);
        self.stirred |= arrived != Arrival::Nothing;
        self.burn(number, fuse, arrived, Direction::ToClient);
    }

    pub(super) fn arrive_at_server(&mut self, number: u32, events: &mut Vec<Event>) {
        let now = self.clock.get();
        let stalled = self.stalled_to_server;
        let connection = self.connection(number);
        if !connection.open {
            return;
        }
        if !connection.told_opened {
            connection.told_opened = true;
            events.push(Event::Opened(number));
        }
        if !stalled && !connection.server_ended {
            let fuse = match connection.fuse {
                Some((Direction::ToServer, bytes, how)) => Some((bytes, how)),
                _ => None,
            };
            let limit = fuse.map_or(usize::MAX, |(bytes, _)| bytes);
            let arrived = connection.to_server.arrive(now, limit);
            let bytes = connection.to_server.read(usize::MAX);
            if !bytes.is_empty() {
                events.push(Event::Bytes(number, bytes));
            }
            if connection.to_server.has_ended() {
                connection.server_ended = true;
            }
            // The window has opened.
            self.stirred |= arrived != Arrival::Nothing;
            self.burn(number, fuse, arrived, Direction::ToServer);
        }
        let connection = self.connection(number);
        if connection.server_ended && !connection.to_server.told_end {
            connection.to_server.told_end = true;
            events.push(Event::Ended(number));
        }
    }

    fn burn(
        &mut self,
        number: u32,
        fuse: Option<(usize, Cut)>,
        arrived: Arrival,
        direction: Direction,
    ) {
        let (Some((bytes, how)), Arrival::Bytes(count)) = (fuse, arrived) else {
            return;
        };
        if count >= bytes {
            self.break_connection(number, how);
        } else {
            self.connection(number).fuse = Some((direction, bytes - count, how));
        }
    }
}
