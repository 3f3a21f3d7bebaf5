//! What does a sample cost on storage while the broker is away, here and with what others use? Measured with the real programs at 100 samples a
//! second of ten signals: the daemon, SQLite with a commit each second, and Mosquitto that keeps messages for a client that is away.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::install::{self, MOSQUITTO_PUB, Tool};
use crate::port::Reserved;
use crate::servers::{Mosquitto, Redis, SUBSCRIBER_MAY_LAG};
use crate::{Config, Daemon, config, subscriber, wait};

/// SQLite's shell.
pub const SQLITE: Tool = Tool::new("sqlite3", "sqlite3");

/// Values of the usual length, and the longest. Each comes in turn with its second, so that none repeats the last of its signal.
const VALUES: [[&str; 2]; 2] = [
    ["12.5", "13.5"],
    ["5.9589999999999996", "5.9589999999999997"],
];

const SIGNALS: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

/// Samples of all signals together.
const A_SECOND: u64 = 100;

/// Messages that Mosquitto keeps: fewer than 16 MB of a spool has samples, since it takes them one by one.
const MESSAGES: u64 = 100_000;

/// What a writer has cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Bytes in its files, in the end.
    lying: u64,
    /// Bytes that it has given to the system to write, in whatever pieces (`wchar` in /proc/PID/io).
    given: u64,
    /// Bytes of the pages that the system writes to the disk for that (`write_bytes`): without the file system's own journal.
    paged: u64,
}

/// Measures for so many seconds, and prints a table.
///
/// # Panics
///
/// If a program does not do what it is asked for.
pub fn measure(seconds: u64) {
    let samples = seconds * A_SECOND;
    println!("{samples} samples at {A_SECOND} a second, bytes a sample:\n");
    println!("| value | what | lies there | given to `write` | pages written |");
    println!("|---|---|---:|---:|---:|");
    let print = |value: &str, what: &str, cost: Cost| {
        let [lying, given, paged] =
            [cost.lying, cost.given, cost.paged].map(|bytes| bytes as f64 / samples as f64);
        println!("| `{value}` | {what} | {lying:.1} | {given:.1} | {paged:.1} |");
    };
    thread::scope(|scope| {
        let measured: Vec<_> = VALUES
            .into_iter()
            .map(|values| {
                let spool = scope.spawn(move || spool(values, seconds));
                let sqlite = ["DELETE", "WAL"].map(|journal| {
                    (
                        journal,
                        scope.spawn(move || sqlite(values, seconds, journal)),
                    )
                });
                (values, spool, sqlite)
            })
            .collect();
        for (values, spool, sqlite) in measured {
            let cost = |measured: thread::ScopedJoinHandle<'_, Cost>| {
                measured.join().expect("a measurement")
            };
            print(values[0], "the spool, `flush_interval` 10", cost(spool));
            for (journal, measured) in sqlite {
                let what = format!("SQLite, a commit each second, journal `{journal}`");
                print(values[0], &what, cost(measured));
            }
        }
    });
    println!();
    for values in VALUES {
        mosquitto(values);
    }
}

/// Calls `write` for each second, with the number of its first sample.
fn each_second(seconds: u64, mut write: impl FnMut(u64)) {
    let begun = Instant::now();
    for second in 0..seconds {
        write(second * A_SECOND);
        let next = begun + Duration::from_secs(second + 1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// The value of a sample.
fn value(values: [&'static str; 2], number: u64) -> &'static str {
    values[(number as usize / SIGNALS.len()) % 2]
}

/// When a sample was measured, in milliseconds.
fn time(number: u64) -> u64 {
    1_708_000_203_824 + number * 1000 / A_SECOND
}

fn spool(values: [&'static str; 2], seconds: u64) -> Cost {
    let (folder, nobody, redis) = (temporary_folder(), Reserved::new(), Redis::start());
    let config = SIGNALS
        .iter()
        .fold(table(folder.path()), |config, signal| config.signal(signal));
    let config = config.with_ports(redis.port(), nobody.number());
    let mut daemon = Daemon::start(&config);
    redis.wait_for_subscriptions(&config.channels());
    daemon.stderr().wait_for(&["the spool has 0 samples"]);
    let thread = spool_thread(daemon.id());
    let mut published = 0;
    // Ten times a second, so that not all of a second come at once.
    each_second(seconds, |first| {
        for tenth in 0..10 {
            let begun = Instant::now();
            let numbers = first + tenth * A_SECOND / 10..first + (tenth + 1) * A_SECOND / 10;
            published += numbers.end - numbers.start;
            redis.publish_each(numbers.map(|number| {
                let signal = SIGNALS[number as usize % SIGNALS.len()];
                let message = format!("{},{},", value(values, number), time(number));
                (config::channel(signal), message)
            }));
            if tenth < 9 {
                thread::sleep(Duration::from_millis(100).saturating_sub(begun.elapsed()));
            }
        }
    });
    daemon.wait_for_counters("cloud", |now| now.received >= published);
    // The last ones are written once they have waited for the flush interval.
    let mut before = 0;
    let written = wait::within(wait::LIMIT, || {
        let now = size_of(&folder.path().join("cloud"));
        let is_over = now == before && now > 0 && all_are_stored(folder.path(), published);
        before = now;
        wait::holds(is_over)
    });
    written.expect("all samples on storage");
    let (given, paged) = written_by(&thread);
    let lying = size_of(&folder.path().join("cloud"));
    daemon.kill();
    Cost {
        lying,
        given,
        paged,
    }
}

fn table(folder: &Path) -> Config {
    let config = config::cloud()
        .with("mqtt_qos", 1)
        .with("spool_size", 16 << 20);
    config.top("spool", json!({ "path": folder }))
}

/// Whether `--spool` finds so many samples.
fn all_are_stored(folder: &Path, samples: u64) -> bool {
    let folder = folder.display().to_string();
    let shown = crate::daemon::run(&["--spool", &folder]).stdout.concat();
    shown.contains(&format!(": samples {samples} "))
}

/// Where Linux counts for the thread of the only spool: the only one beside the event loop.
fn spool_thread(id: u32) -> std::path::PathBuf {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("a running daemon");
    let mut tasks = tasks.map(|task| task.expect("a thread").path());
    let thread = tasks.find(|path| !path.ends_with(id.to_string()));
    thread.expect("the spool's thread")
}

fn sqlite(values: [&'static str; 2], seconds: u64, journal: &str) -> Cost {
    let folder = temporary_folder();
    let path = folder.path().join("samples.db");
    let mut shell = Command::new(install::path(SQLITE))
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("start SQLite's shell");
    let mut input = shell.stdin.take().expect("a pipe");
    let mut say = |text: &str| {
        input
            .write_all(text.as_bytes())
            .expect("a shell that reads")
    };
    say(&format!(
        "PRAGMA journal_mode={journal}; PRAGMA synchronous=FULL;
         CREATE TABLE samples (number INTEGER PRIMARY KEY, signal TEXT, value TEXT, time INTEGER, quality INTEGER);\n"
    ));
    each_second(seconds, |first| {
        let mut text = String::from("BEGIN;\n");
        for number in first..first + A_SECOND {
            let signal = SIGNALS[number as usize % SIGNALS.len()];
            let (value, time) = (value(values, number), time(number));
            text += &format!(
                "INSERT INTO samples VALUES ({number}, '{signal}', '{value}', {time}, 1);\n"
            );
        }
        say(&(text + "COMMIT;\n"));
    });
    let (given, paged) = settled(&shell);
    drop(input);
    assert!(shell.wait().expect("SQLite's shell").success());
    let lying = size_of(folder.path());
    Cost {
        lying,
        given,
        paged,
    }
}

/// What the shell has written, once that does not grow any more.
fn settled(shell: &Child) -> (u64, u64) {
    let path = Path::new("/proc").join(shell.id().to_string());
    let (mut before, mut equal) = (written_by(&path), 0);
    let settled = wait::within(wait::LIMIT, || {
        let now = written_by(&path);
        equal = if now == before { equal + 1 } else { 0 };
        before = now;
        // It reads what it was told in pieces; between two looks are at most 16 ms.
        wait::holds(equal > 50)
    });
    settled.expect("a shell that comes to rest");
    before
}

/// Bytes that this process or thread has given to the system to write, and those of the pages that are written for it.
fn written_by(path: &Path) -> (u64, u64) {
    let text = fs::read_to_string(path.join("io")).expect("a process of ours");
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse().ok())
            .expect("a number of bytes")
    };
    (number("wchar:"), number("write_bytes:"))
}

/// Mosquitto's database of messages that wait for a client, and how long it takes to load it.
fn mosquitto(values: [&'static str; 2]) {
    let lines = [
        "allow_anonymous true",
        "persistence true",
        SUBSCRIBER_MAY_LAG,
    ];
    let mut broker = Mosquitto::start_with(&lines);
    drop(subscriber::to(broker.port()).lasting().connect());
    broker
        .log()
        .wait_for(&["client test-subscriber", "disconnect"]);
    let a_signal = MESSAGES / SIGNALS.len() as u64;
    let publishers: Vec<_> = SIGNALS
        .iter()
        .map(|signal| {
            let mut publisher = Command::new(install::path(MOSQUITTO_PUB))
                .args(["-p", &broker.port().to_string(), "-q", "1", "-l"])
                .args(["-t", &config::channel(signal)])
                .stdin(Stdio::piped())
                .spawn()
                .expect("start mosquitto_pub");
            let input = publisher.stdin.take().expect("a pipe");
            (publisher, input)
        })
        .collect();
    for (mut publisher, mut input) in publishers {
        let lines: String = (0..a_signal)
            .map(|number| format!("{},{},1\n", values[0], time(number)))
            .collect();
        let fed = input.write_all(lines.as_bytes());
        fed.expect("a publisher that reads");
        drop(input);
        assert!(publisher.wait().expect("mosquitto_pub").success());
    }
    broker.stop();
    let bytes = fs::metadata(broker.database()).expect("a database").len();
    let begun = Instant::now();
    broker.start_again();
    let loaded = begun.elapsed().as_secs_f64();
    println!(
        "Mosquitto, `{}`: {:.0} bytes a message; {MESSAGES} messages, {:.1} MB, are loaded in {loaded:.2} s",
        values[0],
        bytes as f64 / MESSAGES as f64,
        bytes as f64 / 1e6
    );
}

/// On a disk, if the system has its temporary files there: `TMPDIR` says so.
fn temporary_folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn size_of(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}
