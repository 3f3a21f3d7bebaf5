//! What are a device's connections made with? What rustls needs, made of the device's files at the start; where the system has no random numbers by then,
//! which a key takes to load, at the first connection after it has some.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_client_core::config::{Key, Severity};
use rustls::ClientConfig;

use super::identity::Trust;
use super::own::Own;
use super::{Fault, entropy};

/// Of one device.
pub struct Setup(Mutex<Stage>);

enum Stage {
    Made(Arc<ClientConfig>),
    Postponed(Own, Trust),
    /// Too late to refuse the start: in words.
    Wrong(String),
}

impl Setup {
    pub fn made(config: ClientConfig) -> Self {
        Setup(Mutex::new(Stage::Made(Arc::new(config))))
    }

    pub fn postponed(own: Own, trust: Trust) -> Self {
        Setup(Mutex::new(Stage::Postponed(own, trust)))
    }

    /// Whether the key is loaded, and right.
    pub fn is_made(&self) -> bool {
        matches!(*self.stage(), Stage::Made(_))
    }

    /// For the next connection; never waits.
    ///
    /// # Errors
    /// The system has no random numbers yet. The key is wrong, which could not be found out before.
    pub fn config(&self) -> Result<Arc<ClientConfig>, Fault> {
        if !entropy::is_there() {
            return Err(Fault::NoEntropy);
        }
        let mut stage = self.stage();
        if let Stage::Postponed(own, trust) = &*stage {
            *stage = match make(own, trust) {
                Ok(config) => Stage::Made(Arc::new(config)),
                Err(words) => Stage::Wrong(words),
            };
        }
        match &*stage {
            Stage::Made(config) => Ok(config.clone()),
            Stage::Wrong(words) => Err(Fault::Key(words.clone())),
            Stage::Postponed(..) => Err(Fault::NoEntropy),
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(own: &Own, trust: &Trust) -> Result<ClientConfig, String> {
    let mut wrong = String::new();
    // Warnings are about dates, and were given at the start.
    let mut report = |severity, key: Key, problem: fmt::Arguments<'_>| {
        if severity == Severity::Error {
            wrong = format!("{}: {problem}", key.name());
        }
    };
    let keys = own.keys(&mut report);
    let certified = keys.and_then(|keys| own.certified(&keys, 0, &mut report));
    let config = certified.and_then(|certified| trust.config(Some(certified), &mut report));
    config.ok_or(wrong)
}
