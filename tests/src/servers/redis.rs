//! A real Redis, and the measurements that a protocol handler would publish on it.

use std::path::PathBuf;
use std::sync::Mutex;

use redis::{Cmd, Connection, ConnectionLike as _, FromRedisValue, Pipeline};
use tempfile::TempDir;

use super::write_configuration;
use crate::port::Reserved;
use crate::process::{Process, Signal};
use crate::{install, wait};

/// A Redis server on a loopback port, and on a Unix socket.
pub struct Redis {
    process: Process,
    connection: Mutex<Option<Connection>>,
    password: Option<String>,
    port: Reserved,
    folder: TempDir,
}

impl Redis {
    /// Starts a server that asks for no password.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server whose `redis.conf` has these lines as well. Its default user may have a password (`requirepass`).
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_with(lines: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = Reserved::new();
        let path = folder.path().display();
        let fixed = [
            format!("port {}", port.number()),
            String::from("bind 127.0.0.1"),
            format!("dir {path}"),
            format!("unixsocket {path}/redis.sock"),
            String::from("save \"\""),
        ];
        let lines: Vec<_> = lines.iter().map(|&line| String::from(line)).collect();
        let password = lines
            .iter()
            .find_map(|line| line.strip_prefix("requirepass "));
        let password = password.map(String::from);
        write_configuration(&folder.path().join("redis.conf"), &fixed, &lines);
        let server = Self {
            process: spawn(&folder),
            connection: Mutex::new(None),
            password,
            port,
            folder,
        };
        server.wait_until_ready();
        server
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The path of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Publishes one message, and returns how many subscribers it went to.
    pub fn publish(&self, channel: &str, message: impl AsRef<[u8]>) -> usize {
        self.query(redis::cmd("PUBLISH").arg(channel).arg(message.as_ref()))
    }

    /// Publishes one message, as soon as somebody is subscribed to the channel.
    ///
    /// # Panics
    ///
    /// If nobody is within [`wait::LIMIT`].
    #[track_caller]
    pub fn publish_when_heard(&self, channel: &str, message: &str) {
        wait::until(format_args!("a subscription to {channel}"), || {
            wait::holds(self.publish(channel, message) > 0)
        });
    }

    /// Publishes many messages to one channel, as fast as the server takes them; no message may go unheard.
    ///
    /// # Panics
    ///
    /// If nobody is subscribed.
    pub fn publish_all(&self, channel: &str, messages: impl IntoIterator<Item = String>) {
        let messages = messages.into_iter().map(|message| (channel, message));
        let heard = self.publish_each(messages);
        assert!(heard.iter().all(|&n| n > 0), "nobody listens to {channel}");
    }

    /// Publishes messages, each to its own channel, as fast as the server takes them; how many subscribers each went to.
    pub fn publish_each(
        &self,
        messages: impl IntoIterator<Item = (impl AsRef<str>, String)>,
    ) -> Vec<usize> {
        let mut pipeline = Pipeline::new();
        for (channel, message) in messages {
            pipeline.cmd("PUBLISH").arg(channel.as_ref()).arg(message);
        }
        self.with_connection(|connection| pipeline.query(connection))
    }

    /// The channels that somebody is subscribed to, sorted.
    #[must_use]
    pub fn subscribed_channels(&self) -> Vec<String> {
        let mut channels: Vec<String> = self.query(redis::cmd("PUBSUB").arg("CHANNELS"));
        channels.sort_unstable();
        channels
    }

    /// How many pattern subscriptions there are.
    #[must_use]
    pub fn pattern_subscriptions(&self) -> usize {
        self.query(redis::cmd("PUBSUB").arg("NUMPAT"))
    }

    /// Waits until these channels, and no others, are subscribed to.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_subscriptions(&self, channels: &[String]) {
        let mut wanted = channels.to_vec();
        wanted.sort_unstable();
        wait::until(format_args!("subscriptions to {}", Few(&wanted)), || {
            wait::holds(self.subscribed_channels() == wanted)
        });
    }

    /// The lines of `CLIENT LIST` of subscribers: one per connection, `name=value` fields.
    #[must_use]
    pub fn subscribers(&self) -> Vec<String> {
        let list: String = self.query(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub"));
        list.lines().map(String::from).collect()
    }

    /// Gives a user more rights, in the words of `ACL SETUSER`.
    pub fn permit(&self, user: &str, rights: &[&str]) {
        let _: () = self.query(redis::cmd("ACL").arg("SETUSER").arg(user).arg(rights));
    }

    /// What a user's ACL says to a command that nobody carries out: `OK`, or why not.
    #[must_use]
    pub fn dry_run(&self, user: &str, command: &[&str]) -> String {
        self.query(redis::cmd("ACL").arg("DRYRUN").arg(user).arg(command))
    }

    /// Makes a replica of it whose master is out of reach: with `replica-serve-stale-data no` it answers PING with MASTERDOWN.
    pub fn lose_master(&self) {
        let _: () = self.query(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1));
    }

    /// Lets a background save fail, which needs a `dir` that is gone: with a `save` rule it answers PING with MISCONF from now on.
    ///
    /// # Panics
    ///
    /// If the save does not fail.
    pub fn fail_to_save(&self) {
        let _: () = self.query(redis::cmd("SET").arg("x").arg(1));
        let _: () = self.query(&redis::cmd("BGSAVE"));
        wait::until("a save that failed", || {
            wait::holds(self.info("persistence", "rdb_last_bgsave_status") == "err")
        });
    }

    /// To how many PING it has answered with an error.
    #[must_use]
    pub fn rejected_pings(&self) -> u64 {
        let pings = self.info("commandstats", "cmdstat_ping");
        let count = pings
            .split(',')
            .find_map(|field| field.strip_prefix("rejected_calls="));
        count.map_or(0, |count| count.parse().expect("a number"))
    }

    /// A field of a section of `INFO`; empty if there is none.
    fn info(&self, section: &str, field: &str) -> String {
        let section: String = self.query(redis::cmd("INFO").arg(section));
        let value = section
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_default().into()
    }

    /// Closes the connection of every subscriber.
    pub fn drop_subscribers(&self) {
        let _: usize = self.query(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"));
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        self.process.terminate();
    }

    /// Ends the server with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts a server that was stopped or killed again, on the same port.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.folder);
        self.wait_until_ready();
    }

    /// Stops it where it is (SIGSTOP): connections stay, and nothing answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn go_on(&mut self) {
        self.process.signal(Signal::CONT);
    }

    fn wait_until_ready(&self) {
        wait::until("an answer of Redis", || {
            let connection = self.connect().ok()?;
            *self.connection.lock().expect("no test thread panicked") = Some(connection);
            Some(())
        });
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let password = self.password.as_deref();
        let login = password.map_or(String::new(), |password| format!(":{password}@"));
        let mut connection =
            redis::Client::open(format!("redis://{login}127.0.0.1:{}", self.port()))?
                .get_connection_with_timeout(wait::LIMIT)?;
        redis::cmd("PING").query::<String>(&mut connection)?;
        Ok(connection)
    }

    fn query<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.with_connection(|connection| command.query(connection))
    }

    fn with_connection<T>(&self, work: impl FnOnce(&mut Connection) -> redis::RedisResult<T>) -> T {
        let mut connection = self.connection.lock().expect("no test thread panicked");
        let open = connection.take().filter(|connection| connection.is_open());
        let mut open = open.unwrap_or_else(|| self.connect().expect("a connection to Redis"));
        let result = work(&mut open).expect("a command that Redis takes");
        *connection = Some(open);
        result
    }
}

fn spawn(folder: &TempDir) -> Process {
    let configuration = folder.path().join("redis.conf").display().to_string();
    Process::start(
        "Redis",
        &install::path(install::REDIS_SERVER),
        &[configuration],
    )
}

/// A list in a message that stays readable when it is long.
struct Few<'a>(&'a [String]);

impl std::fmt::Display for Few<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [first, .., last] if self.0.len() > 8 => {
                write!(f, "{} channels, {first} to {last}", self.0.len())
            }
            few => write!(f, "{few:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_server_takes_commands_at_once_also_after_a_restart_on_the_same_port() {
        let mut redis = Redis::start();
        let port = redis.port();
        assert_eq!(redis.publish("a", "1"), 0);
        redis.stop();
        redis.start_again();
        redis.kill();
        redis.start_again();
        assert_eq!(redis.publish("a", "1"), 0);
        assert_eq!(redis.port(), port);
        assert!(redis.socket().exists());
    }

    #[test]
    fn a_server_with_a_password_is_usable() {
        let redis = Redis::start_with(&["requirepass secret"]);
        assert!(redis.subscribed_channels().is_empty());
    }
}
