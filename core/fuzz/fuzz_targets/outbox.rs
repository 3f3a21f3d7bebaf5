#![no_main]

libfuzzer_sys::fuzz_target!(
    |case: mqtt_client_fuzz::outbox::Case| mqtt_client_fuzz::outbox::check(&case)
);
