//! How much memory does a message take? None but the storage that was handed in at the start.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use mqtt_client_tests::bench::ends::{AHEAD, Ends};
use mqtt_client_tests::bench::measure::idle_memory;
use mqtt_client_tests::bench::memory::with_pipeline;
use mqtt_client_tests::bench::meter;
use mqtt_client_tests::bench::subjects::Program;
use mqtt_client_tests::bench::workload::Workload;
use mqtt_client_tests::program;

/// Counts the calls of this thread that ask for memory; tests run in parallel.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on unchanged to the system's allocator, which keeps the contract. The counter is `const`
// and has no destructor, so that to count needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: as the caller has promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Messages before the counting begins, and in all.
const WARM_UP: u64 = 10_000;
const MESSAGES: u64 = 110_000;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(vec![0_u8; 3])), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_hundred_thousand_messages_on_their_way_through_the_core_allocate_nothing() {
    for (version, qos) in ["3.1.1", "5"]
        .into_iter()
        .flat_map(|version| [0, 1, 2].map(|qos| (version, qos)))
    {
        with_pipeline(qos, version, AHEAD, |pipeline| {
            pipeline.run(WARM_UP);
            let count = allocations(|| pipeline.run(MESSAGES));
            assert_eq!(count, 0, "MQTT {version}, QoS {qos}");
        });
    }
}

#[test]
fn the_daemon_s_heap_does_not_grow_over_a_million_messages() {
    let program = Program::Daemon(program::daemon().path.clone());
    let workload = Workload::new();
    for qos in 0..3 {
        let ends = Ends::new().expect("free ports");
        let (redis, broker) = ends.ports().expect("free ports");
        let bridge = program.start(redis, broker, qos, 100);
        let id = bridge.process.id();
        let mut linked = ends.link(&workload, qos).expect("it connects");
        linked.run(WARM_UP).expect("it forwards");
        let before = idle_memory(id);
        linked.run(1_000_000).expect("it forwards");
        let after = meter::memory(id).expect("it runs");
        assert_eq!(
            after.data, before.data,
            "KiB at QoS {qos}, {before:?} {after:?}"
        );
    }
}
