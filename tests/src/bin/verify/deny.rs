//! May all that comes from others come in? `cargo deny` knows of licences, sources and published holes: `deny.toml`.

use mqtt_client_tests::program;

use crate::run::{self, Outcome, cargo};

/// Asks `cargo deny`; what it cannot look at here, it says.
pub fn check(verbose: bool) -> Outcome {
    if program::output(&mut cargo(&["deny", "--version"])).is_err() {
        return Ok("skipped: there is no cargo-deny: cargo install cargo-deny --locked\n".into());
    }
    let ask = |what: &[&str]| {
        let words = [&["deny", "--locked", "check"], what].concat();
        run::all([cargo(&words)], verbose)
    };
    let mut said = ask(&["licenses", "sources", "bans"])?;
    let mut fetch = cargo(&["deny", "fetch", "db"]);
    if program::output(fetch.current_dir(program::workspace())).is_err() {
        said.push_str("skipped: known holes: the database of them cannot be had from here\n");
        return Ok(said);
    }
    said.push_str(&ask(&["advisories"])?);
    Ok(said)
}
