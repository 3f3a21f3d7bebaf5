#![no_main]

libfuzzer_sys::fuzz_target!(
    |case: mqtt_client_fuzz::bridge::Case| mqtt_client_fuzz::bridge::check(&case)
);
