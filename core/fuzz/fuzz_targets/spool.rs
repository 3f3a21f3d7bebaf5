#![no_main]

libfuzzer_sys::fuzz_target!(
    |case: mqtt_client_fuzz::spool::Case| mqtt_client_fuzz::spool::check(&case)
);
