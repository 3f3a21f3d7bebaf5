//! What are the rules of the `redis` block?

use super::advice;
use super::check::Fields;
use super::finding::Problem;
use super::json::SyntaxError;
use super::schema::Key;
use super::{Endpoint, Redis, Secret};

/// Of `host`, where there is no Redis at the default.
pub(super) const NO_LOCAL_REDIS: Problem<'static> = Problem::Missing {
    because: Some("a machine without a Redis of its own"),
};

/// The block's settings; where one is wrong, its default, after reporting it.
pub(super) fn redis<'a>(fields: &mut Fields<'_, 'a, '_>) -> Result<Redis<'a>, SyntaxError> {
    let host = fields.text(Key::Host).unwrap_or(Redis::DEFAULT_HOST);
    let port = fields.integer(Key::Port);
    let socket = fields.text(Key::Socket);
    let username = fields.text(Key::Username);
    let password = fields.text(Key::Password);
    let database = fields.integer(Key::Database);

    let has_host = fields.row.is_given(Key::Host) || fields.row.is_given(Key::Port);
    if fields.row.is_given(Key::Socket) && has_host {
        fields.error(Key::Socket, Problem::SocketAndHost);
    }
    let abilities = fields.check.abilities;
    match socket {
        Some(_) if !abilities.local_servers => {
            fields.error(Key::Socket, Problem::NotBuiltIn("Unix sockets"));
        }
        Some(_) => {}
        None if !abilities.local_servers && !fields.row.is_given(Key::Host) => {
            fields.error(Key::Host, NO_LOCAL_REDIS);
        }
        None => fields.within_reach(Key::Host, host),
    }
    if fields.row.is_given(Key::Username) {
        // AUTH takes a password alone, or both (Redis 6).
        fields.require(Key::Password);
    }
    fields.keys()?;
    let redis = Redis {
        endpoint: socket.map_or(Endpoint::Tcp { host, port }, Endpoint::Unix),
        username,
        password: password.map(Secret::new),
        database,
    };
    advice::redis(fields, &redis);
    Ok(redis)
}
