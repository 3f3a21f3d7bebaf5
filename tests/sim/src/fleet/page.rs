//! What is told of a fleet: `docs/fleet.md` with a table, and `docs/fleet.svg` with a picture.

use std::fmt::Write as _;

use super::{Fleet, GIVEN_UP, Outcome, SAMPLE_EVERY};

/// A row of the table, and whether it is a line of the picture.
pub struct Case {
    pub fleet: Fleet,
    pub is_drawn: bool,
}

/// The fleet of the page.
const FLEET: Fleet = Fleet {
    bridges: 10_000,
    admits: 200,
    throttle: 100,
    outage: 0,
    has_jitter: true,
    max_rate: 100,
    seed: 1,
};

/// All rows: outage, jitter, `max_rate`, and whether it is drawn.
#[must_use]
pub fn cases() -> Vec<Case> {
    [
        (2000, false, 100, true),
        (2000, true, 100, true),
        (60_000, true, 100, false),
        (300_000, true, 100, true),
        (300_000, true, 0, false),
    ]
    .map(|(outage, has_jitter, max_rate, is_drawn)| Case {
        fleet: Fleet {
            outage,
            has_jitter,
            max_rate,
            ..FLEET
        },
        is_drawn,
    })
    .into()
}

const HEAD: &str = "| broker down | jitter | `max_rate` | bound | all back | all drained | of the bound | CONNECTs refused | most of one bridge | worst queue | passed over | taken twice | dropped | lost |
|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
";

/// The table of these rows.
#[must_use]
pub fn table(rows: &[(Case, Outcome)]) -> String {
    let mut table = String::from(HEAD);
    for (Case { fleet, .. }, outcome) in rows {
        let bound = fleet.bound();
        let seconds = |time: Option<u64>| {
            let not = format!("not in {} s", GIVEN_UP / 1000);
            time.map_or(not, |time| format!("{:.1} s", time as f64 / 1000.0))
        };
        let share = outcome.all_drained.map_or("".into(), |time| {
            format!("{:.2}", time as f64 / bound as f64)
        });
        let words = ["no", "yes"];
        writeln!(
            table,
            "| {} s | {} | {} | {} | {} | {} | {share} | {} | {} | {} | {} | {} | {} | {} |",
            fleet.outage / 1000,
            words[usize::from(fleet.has_jitter)],
            fleet.max_rate,
            seconds(Some(bound)),
            seconds(outcome.all_back),
            seconds(outcome.all_drained),
            outcome.refused,
            outcome.refused_most,
            outcome.worst_queue,
            outcome.passed_over,
            outcome.taken_twice,
            outcome.dropped,
            outcome.lost,
        )
        .expect("memory");
    }
    table
}

/// The whole page.
#[must_use]
pub fn page(rows: &[(Case, Outcome)]) -> String {
    let Fleet {
        bridges,
        admits,
        throttle,
        ..
    } = FLEET;
    format!(
        "# A fleet that loses its broker

Written by `cargo sim --fleet`. {bridges} bridges, each the real core with a model Redis, on one virtual clock, lose the one broker that they all have
(`tests/sim/src/fleet`). It admits {admits} CONNECTs a second once it is back, and closes the others without a word; it takes {throttle} messages a second from each, and passes over
in silence what exceeds that, as AWS IoT Core does. Each bridge has a sample every {} seconds, at QoS 1. The network takes no time; times count from the
moment when the broker is back.

The bound is what no fleet can beat: {bridges} bridges at {admits} a second, and then what has waited in the last one, at {throttle} a second. The goal: all back, and nothing waits
any more, within 1.5 times that.

{}
- *most of one bridge*: how often the bridge that was refused most was refused. *worst queue*: the most samples that ever waited in one bridge.
- *passed over*: messages that the broker did not take since they came too fast. Each has to go again: over another connection, since MQTT allows no other
  way, once one and a half keep-alives have shown that its acknowledgement is missing. With `max_rate` there are none.
- Without jitter (no product of ours: the random number is 0) all come back in step, and the broker turns away all but {admits} of them each time.

![How many bridges are connected](fleet.svg)
",
        SAMPLE_EVERY / 1000,
        table(rows)
    )
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - 20.0;
const PLOT_HEIGHT: f64 = HEIGHT - TOP - 55.0;

/// Seconds that the picture shows.
const SECONDS: usize = 120;

const COLOURS: [&str; 4] = ["#1b6ca8", "#c0392b", "#2e8b57", "#7d3c98"];

/// How many bridges are connected, second by second.
#[must_use]
pub fn picture(rows: &[(Case, Outcome)]) -> String {
    let most = FLEET.bridges as f64;
    let x = |second: f64| LEFT + second / SECONDS as f64 * PLOT_WIDTH;
    let y = |bridges: f64| TOP + (1.0 - bridges / most) * PLOT_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">
<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>
<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{} bridges come back to a broker that admits {} CONNECTs a second</text>
",
        FLEET.bridges, FLEET.admits
    );
    let mut add = |line: String| {
        svg += &line;
        svg.push('\n');
    };
    for bridges in (0..=FLEET.bridges).step_by(FLEET.bridges / 5) {
        let y = y(bridges as f64);
        let right = LEFT + PLOT_WIDTH;
        add(format!(
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"
        ));
        let (at, y) = (LEFT - 8.0, y + 4.0);
        add(format!(
            "<text x=\"{at}\" y=\"{y:.1}\" text-anchor=\"end\">{bridges}</text>"
        ));
    }
    let bottom = TOP + PLOT_HEIGHT;
    for second in (0..=SECONDS).step_by(20) {
        let (x, y) = (x(second as f64), bottom + 18.0);
        add(format!(
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{second}</text>"
        ));
    }
    let (middle, y_of_unit) = (LEFT + PLOT_WIDTH / 2.0, bottom + 40.0);
    add(format!(
        "<text x=\"{middle}\" y=\"{y_of_unit}\" text-anchor=\"middle\">seconds since the broker is back</text>"
    ));
    let whole = most / FLEET.admits as f64;
    add(format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#888\" stroke-dasharray=\"6 4\"/>",
        x(0.0),
        y(0.0),
        x(whole),
        y(most)
    ));
    let mut legend = vec![("#888", "the broker's own bound".to_string())];
    let drawn = rows.iter().filter(|(case, _)| case.is_drawn);
    for ((Case { fleet, .. }, outcome), colour) in drawn.zip(COLOURS) {
        let mut connected = outcome.connected.clone();
        connected.insert(0, 0);
        connected.resize(SECONDS + 1, *connected.last().expect("one"));
        let points: Vec<String> = (connected.iter().enumerate())
            .map(|(second, bridges)| format!("{:.1},{:.1}", x(second as f64), y(*bridges as f64)))
            .collect();
        add(format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        ));
        let jitter = if fleet.has_jitter { "with" } else { "without" };
        let down = fleet.outage / 1000;
        legend.push((colour, format!("down for {down} s, {jitter} jitter")));
    }
    let from = bottom - 22.0 * legend.len() as f64;
    for (line, (colour, text)) in legend.into_iter().enumerate() {
        let (x1, x2, y) = (
            LEFT + PLOT_WIDTH - 240.0,
            LEFT + PLOT_WIDTH - 210.0,
            from + 22.0 * line as f64,
        );
        add(format!(
            "<line x1=\"{x1}\" y1=\"{y:.1}\" x2=\"{x2}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
        let (at, y) = (x2 + 8.0, y + 4.0);
        add(format!("<text x=\"{at}\" y=\"{y:.1}\">{text}</text>"));
    }
    svg + "</svg>\n"
}
