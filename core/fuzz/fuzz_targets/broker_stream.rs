#![no_main]

libfuzzer_sys::fuzz_target!(|case: mqtt_client_fuzz::broker_stream::Case| {
    mqtt_client_fuzz::broker_stream::check(&case)
});
