//! One run of one bridge, and the median of several.

use std::thread;
use std::time::Duration;

use super::ends::Ends;
use super::meter::{self, Memory};
use super::subjects::{Program, Running, Subject};
use super::workload::Workload;
use crate::Counters;
use crate::process::Signal;
use crate::wait;

/// What one run has shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Messages per second, with both ends on the bridge's own processor.
    pub rate: f64,
    /// Processor time of the bridge per message, in microseconds.
    pub cpu: f64,
    /// Memory when all is subscribed to and nothing has been published, in KiB.
    pub idle: u64,
    /// The most that it occupied, in KiB.
    pub peak: u64,
    /// What it occupies after the last message besides the pages of its program and its libraries, in KiB.
    pub own: u64,
}

/// The part of a run's messages that comes before the measurement.
const WARM_UP: u64 = 10;

/// A process that has not run for so long is idle.
const IDLE: Duration = Duration::from_millis(50);

/// Measures one run.
///
/// # Errors
///
/// What the bridge has done wrong.
pub fn once(
    subject: &Subject,
    program: &Program,
    workload: &Workload,
    qos: u8,
    messages: u64,
) -> Result<Figures, String> {
    let ends = Ends::new().map_err(|error| error.to_string())?;
    let (redis, broker) = ends.ports().map_err(|error| error.to_string())?;
    let mut bridge = program.start(redis, broker, qos, subject.window);
    let id = bridge.process.id();
    let mut linked = ends.link(workload, qos)?;
    let idle = idle_memory(id);
    let warm_up = messages / WARM_UP;
    linked.run(warm_up)?;
    let before = used(id)?;
    let time = linked.run(warm_up + messages)?;
    let after = used(id)?;
    let Memory { peak, own, .. } = memory(id)?;
    if let Program::Daemon(_) | Program::Daemon5(_) = program {
        check_counters(&mut bridge, warm_up + messages)?;
    }
    let count = messages as f64;
    Ok(Figures {
        rate: count / time.as_secs_f64(),
        cpu: (after - before) as f64 / 1000.0 / count,
        idle: idle.resident,
        peak,
        own,
    })
}

/// The median of each figure.
///
/// # Panics
///
/// If there are no runs.
#[must_use]
pub fn median(runs: &[Figures]) -> Figures {
    let middle = |figure: fn(&Figures) -> f64| {
        let mut all: Vec<_> = runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Figures {
        rate: middle(|run| run.rate),
        cpu: middle(|run| run.cpu),
        idle: middle(|run| run.idle as f64) as u64,
        peak: middle(|run| run.peak as f64) as u64,
        own: middle(|run| run.own as f64) as u64,
    }
}

/// The memory of a process once it has nothing to do.
///
/// # Panics
///
/// If it never rests, or has ended.
#[must_use]
pub fn idle_memory(id: u32) -> Memory {
    wait::until("an idle bridge", || {
        let before = used(id).expect("a bridge that runs");
        thread::sleep(IDLE);
        let memory = memory(id).expect("a bridge that runs");
        wait::holds(used(id).expect("a bridge that runs") == before).map(|()| memory)
    })
}

/// Ends the daemon in good order, and looks at what it says that it has done.
fn check_counters(bridge: &mut Running, messages: u64) -> Result<(), String> {
    bridge.process.signal(Signal::TERM);
    bridge.process.wait();
    let lines = bridge.process.stderr().with(&["received", "dropped"]);
    let counters = lines.last().and_then(|line| Counters::parse(line));
    match counters {
        Some(Counters {
            dropped: 0, sent, ..
        }) if sent == messages => Ok(()),
        other => Err(format!(
            "{messages} messages came out, and the daemon counts {other:?}"
        )),
    }
}

fn used(id: u32) -> Result<u64, String> {
    meter::cpu_ns(id).map_err(|error| format!("the bridge has ended: {error}"))
}

fn memory(id: u32) -> Result<Memory, String> {
    meter::memory(id).map_err(|error| format!("the bridge has ended: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_figure_by_figure() {
        let run = |rate, peak| Figures {
            rate,
            cpu: -rate,
            idle: 1,
            peak,
            own: peak,
        };
        let median = median(&[run(3.0, 10), run(1.0, 30), run(2.0, 20)]);
        assert_eq!(median, run(2.0, 20));
    }
}
