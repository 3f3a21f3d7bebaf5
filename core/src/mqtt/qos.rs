//! The delivery handshakes (MQTT 3.1.1, 4.3): which step may follow which. No bytes, no time, no storage.

use super::QoS;
use super::violation::Violation;

/// How far the delivery of one message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has not been handed to the network whole yet.
    Queued,
    /// PUBLISH went out: PUBACK (QoS 1) or PUBREC (QoS 2) is awaited. QoS 0 messages end here.
    Published,
    /// PUBREC came, PUBREL is ours to send: PUBCOMP is awaited.
    Released,
    /// Acknowledged for good.
    Complete,
}

/// An acknowledgement by the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    Puback,
    Pubrec,
    Pubcomp,
}

/// What the sender has to do about an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The message has reached this stage.
    Reach(Stage),
    /// Send PUBREL (again); a message that was awaited in [`Stage::Published`] has reached [`Stage::Released`].
    SendPubrel,
    /// A repetition: nothing to do.
    Ignore,
}

/// The step that `ack` allows for a message of `qos` at `stage`; `None` is a message that is not in flight (any more).
///
/// # Errors
/// The clause that an acknowledgement of the other handshake breaks, or one for a message that was not sent.
pub fn step(qos: QoS, stage: Option<Stage>, ack: Ack) -> Result<Step, Violation> {
    use {Ack::*, QoS::*, Stage::*};
    match (qos, ack, stage) {
        (AtLeastOnce, Puback, Some(Published)) => Ok(Step::Reach(Complete)),
        (AtLeastOnce, Puback, Some(Complete) | None) => Ok(Step::Ignore),

        // From a broker that has no QoS 2, as RabbitMQ: at least once is what it gives.
        (ExactlyOnce, Puback, Some(Published)) => Ok(Step::Reach(Complete)),
        (ExactlyOnce, Puback, Some(Complete) | None) => Ok(Step::Ignore),

        (ExactlyOnce, Pubrec, Some(Published)) => Ok(Step::SendPubrel),
        // A repeated PUBREC asks for the PUBREL again, also when all is done: without it the broker keeps the identifier for ever.
        (ExactlyOnce, Pubrec, Some(Released | Complete) | None) => Ok(Step::SendPubrel),
        (ExactlyOnce, Pubcomp, Some(Released)) => Ok(Step::Reach(Complete)),
        (ExactlyOnce, Pubcomp, Some(Complete) | None) => Ok(Step::Ignore),
        (ExactlyOnce, Pubcomp, Some(Published)) => Err(Violation::PubcompBeforePubrec),

        (AtMostOnce, ..) => Err(Violation::AckOfQoS0),
        (AtLeastOnce, Pubrec | Pubcomp, _) => Err(Violation::WrongAckForQoS1),
        (ExactlyOnce, Puback, Some(Released)) => Err(Violation::PubackAfterPubrec),
        (AtLeastOnce, Puback, Some(Queued | Released)) | (ExactlyOnce, _, Some(Queued)) => {
            Err(Violation::AckOfUnsent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Option<Stage>; 5] = [
        None,
        Some(Stage::Queued),
        Some(Stage::Published),
        Some(Stage::Released),
        Some(Stage::Complete),
    ];

    #[test]
    fn every_transition_is_the_one_that_the_standard_gives() {
        use {Ack::*, QoS::*};
        let done = Ok(Step::Reach(Stage::Complete));
        let pubrel = Ok(Step::SendPubrel);
        let ignore = Ok(Step::Ignore);
        let wrong1 = Err(Violation::WrongAckForQoS1);
        let late = Err(Violation::PubackAfterPubrec);
        let qos0 = Err(Violation::AckOfQoS0);
        let unsent = Err(Violation::AckOfUnsent);
        let early = Err(Violation::PubcompBeforePubrec);
        //                          not in flight, queued, published, released, complete
        let table = [
            (AtMostOnce, Puback, [qos0; 5]),
            (AtMostOnce, Pubrec, [qos0; 5]),
            (AtMostOnce, Pubcomp, [qos0; 5]),
            // A QoS 1 message is never Released; the impossible pair is refused like an unsent one's.
            (AtLeastOnce, Puback, [ignore, unsent, done, unsent, ignore]),
            (AtLeastOnce, Pubrec, [wrong1; 5]),
            (AtLeastOnce, Pubcomp, [wrong1; 5]),
            // A broker that has no QoS 2.
            (ExactlyOnce, Puback, [ignore, unsent, done, late, ignore]),
            (
                ExactlyOnce,
                Pubrec,
                [pubrel, unsent, pubrel, pubrel, pubrel],
            ),
            (ExactlyOnce, Pubcomp, [ignore, unsent, early, done, ignore]),
        ];
        for (qos, ack, results) in table {
            for (stage, expected) in STAGES.into_iter().zip(results) {
                assert_eq!(
                    step(qos, stage, ack),
                    expected,
                    "{qos:?} {ack:?} at {stage:?}"
                );
            }
        }
    }
}
