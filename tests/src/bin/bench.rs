//! `cargo compare`: how fast and how small is the daemon, and bridges that do the same with other libraries?
//!
//! ```text
//! cargo compare [--runs N] [--messages N] [--with OLD]... [NAME...]
//! ```
//!
//! All bridges whose name holds one of the words, or all; one at a time, taking turns, with everything on one processor.
//! `--with` adds an older build of the daemon (a git revision, a folder with a checkout, or a daemon that is built already): what has a change
//! brought? Below the table stand the ratios of this build to each of them and to the relay. The exit code is 1 if a bridge loses, repeats or
//! changes a message, 64 for a wrong argument. A bridge that cannot be built here is left out.

use std::fmt::Write as _;
use std::process::ExitCode;

use mqtt_client_tests::bench::ends::AHEAD;
use mqtt_client_tests::bench::measure::{self, Figures};
use mqtt_client_tests::bench::relay;
use mqtt_client_tests::bench::subjects::{self, Program, Subject};
use mqtt_client_tests::bench::workload::{SIGNALS, Workload};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const USAGE: &str = "usage: cargo compare [--runs N] [--messages N] [--with OLD]... [NAME...]";

struct Arguments {
    runs: usize,
    messages: Option<u64>,
    others: Vec<String>,
    names: Vec<String>,
}

/// A row of the table: a bridge, and all runs at each QoS.
struct Row {
    subject: Subject,
    program: Program,
    runs: [Vec<Figures>; 3],
    /// Whether this build's ratio to it is wanted.
    is_compared: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, redis, broker, ..] = &words[..]
        && first == "relay"
    {
        let port = |word: &String| word.parse().expect("a port");
        // Its end is the harness's, which has seen all it wants.
        let _ = relay::run(port(redis), port(broker));
        return ExitCode::SUCCESS;
    }
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match compare(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        runs: 3,
        messages: None,
        others: Vec::new(),
        names: Vec::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |value: &String| match value.parse() {
            Ok(number @ 1_u64..) => Ok(number),
            _ => Err(format!("{word} needs a number from 1 on")),
        };
        match word.as_str() {
            "--runs" => arguments.runs = number(value()?)? as usize,
            "--messages" => arguments.messages = Some(number(value()?)?),
            "--with" => arguments.others.push(value()?.clone()),
            option if option.starts_with('-') => return Err(format!("no such option: {option}")),
            _ => arguments.names.push(word.clone()),
        }
    }
    Ok(arguments)
}

fn compare(arguments: &Arguments) -> Result<(), String> {
    // Built first, on all processors.
    let mut rows = build(arguments)?;
    let processor = share_one_processor()?;
    println!(
        "{SIGNALS} signals; bridge, Redis and broker on processor {processor}; at most {AHEAD} messages under way; median of {} runs",
        arguments.runs
    );
    let workload = Workload::new();
    let mut failures = Vec::new();
    // By turns, so that a busy machine is unfair to all alike.
    for _ in 0..arguments.runs {
        for row in &mut rows {
            if let Err(error) = row.run(&workload, arguments.messages) {
                failures.push(format!("{}: {error}", row.subject.name));
            }
        }
    }
    println!("{}", heading());
    for row in &rows {
        println!("{}", row.shown());
    }
    if let Some(ours) = rows.iter().find(|row| row.subject.name == subjects::DAEMON) {
        let compared = rows.iter().filter(|row| row.is_compared);
        compared.for_each(|row| println!("{}", ours.over(row)));
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

fn build(arguments: &Arguments) -> Result<Vec<Row>, String> {
    let wanted = |name: &str| {
        arguments.names.is_empty() || arguments.names.iter().any(|word| name.contains(word))
    };
    let mut found = Vec::new();
    for (subject, build) in subjects::all() {
        if !wanted(&subject.name) {
            continue;
        }
        match build() {
            Ok(program) => {
                let is_compared = subject.name == subjects::RELAY;
                found.push(Row::new(subject, program, is_compared));
            }
            Err(reason) => println!("left out: {}: {reason}", subject.name),
        }
    }
    for named in &arguments.others {
        let (subject, program) = subjects::other_daemon(named)?;
        found.push(Row::new(subject, program, true));
    }
    Ok(found)
}

fn heading() -> String {
    let mut top = format!("{:<30}", "");
    let mut names = format!("{:<30}", "bridge");
    for qos in 0..3 {
        write!(top, " | {:<16}", format!("QoS {qos}")).expect("memory");
        write!(names, " | {:>9} {:>6}", "msg/s", "us CPU").expect("memory");
    }
    format!(
        "{top} | RSS KiB\n{names} | {:>6} {:>6} {:>6}",
        "idle", "peak", "own"
    )
}

impl Row {
    fn new(subject: Subject, program: Program, is_compared: bool) -> Row {
        Row {
            subject,
            program,
            runs: Default::default(),
            is_compared,
        }
    }

    /// One run at each QoS.
    fn run(&mut self, workload: &Workload, messages: Option<u64>) -> Result<(), String> {
        let messages = messages.unwrap_or(self.subject.messages);
        for &qos in self.subject.qos {
            let figures = measure::once(&self.subject, &self.program, workload, qos, messages);
            let figures = figures.map_err(|error| format!("QoS {qos}: {error}"))?;
            self.runs[usize::from(qos)].push(figures);
        }
        Ok(())
    }

    fn shown(&self) -> String {
        let mut line = format!("{:<30}", self.subject.name);
        let (mut idle, mut peak, mut own) = (0, 0, 0);
        for runs in &self.runs {
            if runs.is_empty() {
                write!(line, " | {:>9} {:>6}", "-", "-").expect("memory");
                continue;
            }
            let figures = measure::median(runs);
            write!(line, " | {:>9.0} {:>6.2}", figures.rate, figures.cpu).expect("memory");
            // The worst of the levels.
            idle = figures.idle.max(idle);
            peak = figures.peak.max(peak);
            own = figures.own.max(own);
        }
        format!("{line} | {idle:>6} {peak:>6} {own:>6}")
    }

    /// The ratios of this bridge's figures to the other's.
    fn over(&self, other: &Row) -> String {
        let mut line = format!("{:<30}", format!("ratio to {}", other.subject.name));
        for (ours, theirs) in self.runs.iter().zip(&other.runs) {
            if ours.is_empty() || theirs.is_empty() {
                write!(line, " | {:>9} {:>6}", "-", "-").expect("memory");
                continue;
            }
            let (ours, theirs) = (measure::median(ours), measure::median(theirs));
            let (rate, cpu) = (ours.rate / theirs.rate, ours.cpu / theirs.cpu);
            write!(line, " | {rate:>9.2} {cpu:>6.2}").expect("memory");
        }
        line
    }
}

/// Puts this process, and so its children, on the last processor that it may use; its number.
fn share_one_processor() -> Result<usize, String> {
    let allowed = sched_getaffinity(None).map_err(|error| error.to_string())?;
    let last = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|number| allowed.is_set(*number));
    let last = last.ok_or("there is none")?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).map_err(|error| error.to_string())?;
    Ok(last)
}
