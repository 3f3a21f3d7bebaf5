//! Do the invariants hold for all seeds? Without a fuzzer, so that it takes a second and any toolchain.

use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use mqtt_client_fuzz::{
    bridge, broker_stream, config, outbox, packets, packets_v5, proxy_answer, resp_stream, sample,
    spool,
};

/// Calls `check` with each seed of a target, as the fuzzer does.
fn for_each_seed(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("seeds") {
        let path = entry.expect("a seed").path();
        // The last one in the output is the one that failed.
        println!("{}", path.display());
        check(&fs::read(&path).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

fn case<'b, C: Arbitrary<'b>>(bytes: &'b [u8]) -> C {
    C::arbitrary_take_rest(Unstructured::new(bytes)).expect("a case can be made of any bytes")
}

#[test]
fn resp_streams() {
    for_each_seed("resp_stream", resp_stream::check);
}

#[test]
fn samples() {
    for_each_seed("sample", sample::check);
}

#[test]
fn configurations() {
    for_each_seed("config", config::check);
}

#[test]
fn packets_of_both_directions() {
    for_each_seed("packets", |bytes| packets::check(&case(bytes)));
}

#[test]
fn packets_of_mqtt_5() {
    for_each_seed("packets_v5", |bytes| packets_v5::check(&case(bytes)));
}

#[test]
fn outbox_operations() {
    for_each_seed("outbox", |bytes| outbox::check(&case(bytes)));
}

#[test]
fn spools() {
    for_each_seed("spool", |bytes| spool::check(&case(bytes)));
}

#[test]
fn proxy_answers() {
    for_each_seed("proxy_answer", proxy_answer::check);
}

#[test]
fn broker_streams() {
    for_each_seed("broker_stream", |bytes| broker_stream::check(&case(bytes)));
}

#[test]
fn bridges() {
    for_each_seed("bridge", |bytes| bridge::check(&case(bytes)));
}
