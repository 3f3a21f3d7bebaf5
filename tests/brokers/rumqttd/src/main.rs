//! Runs the broker rumqttd with the configuration file that is named on the command line, and its log on standard output.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).init();
    let file = std::env::args().nth(1).ok_or("no configuration file")?;
    let settings = config::Config::builder().add_source(config::File::with_name(&file));
    let settings: rumqttd::Config = settings.build()?.try_deserialize()?;
    Ok(rumqttd::Broker::new(settings).start()?)
}
