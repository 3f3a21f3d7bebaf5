//! The delivery handshakes: which step may follow which? No bytes, no time, no storage, and no protocol's packets.
//!
//! They are those of MQTT (3.1.1, 4.3; 5, 4.3), whose versions differ in their packets only.

/// Quality of Service of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum QoS {
    /// 0: sent once, never acknowledged.
    #[default]
    AtMostOnce,
    /// 1: sent until acknowledged.
    AtLeastOnce,
    /// 2: delivered once: received, released, completed.
    ExactlyOnce,
}

impl From<QoS> for u8 {
    fn from(qos: QoS) -> u8 {
        match qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce => 1,
            QoS::ExactlyOnce => 2,
        }
    }
}

/// How far the delivery of one message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has not been handed to the network whole yet.
    Queued,
    /// The message went out: that it is accepted (QoS 1) or received (QoS 2) is awaited. QoS 0 messages end here.
    Published,
    /// It was received, its release is ours to send: that it is complete is awaited.
    Released,
    /// Acknowledged for good.
    Complete,
}

/// An acknowledgement by the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The end at QoS 1 (PUBACK).
    Accepted,
    /// The end at QoS 1 and 2: the receiver does not want the message (MQTT 5, PUBACK or PUBREC with a reason of failure).
    Refused,
    /// The first of two at QoS 2 (PUBREC).
    Received,
    /// The second (PUBCOMP).
    Completed,
}

/// What a receiver may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// An acknowledgement, though nothing is sent that has one.
    ReplyAtQoS0,
    /// One of QoS 2's at QoS 1.
    NotAccepted,
    AcceptedAfterReceived,
    /// Of a message that was not sent.
    Unsent,
    CompletedBeforeReceived,
}

/// What the sender has to do about an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The message has reached this stage.
    Reach(Stage),
    /// Send the release (again); a message that was awaited in [`Stage::Published`] has reached [`Stage::Released`].
    Release,
    /// A repetition: nothing to do.
    Ignore,
}

/// The step that `reply` allows for a message of `qos` at `stage`; `None` is a message that is not in flight (any more).
///
/// # Errors
/// The rule that an acknowledgement of the other handshake breaks, or one for a message that was not sent.
pub const fn step(qos: QoS, stage: Option<Stage>, reply: Reply) -> Result<Step, Breach> {
    use {QoS::*, Reply::*, Stage::*};
    match (qos, reply, stage) {
        (AtLeastOnce, Accepted, Some(Published)) => Ok(Step::Reach(Complete)),
        (AtLeastOnce, Accepted, Some(Complete) | None) => Ok(Step::Ignore),

        // From a broker that has no QoS 2, as RabbitMQ: at least once is what it gives.
        (ExactlyOnce, Accepted, Some(Published)) => Ok(Step::Reach(Complete)),
        (ExactlyOnce, Accepted, Some(Complete) | None) => Ok(Step::Ignore),

        (ExactlyOnce, Received, Some(Published)) => Ok(Step::Release),
        // A repeated one asks for the release again, also when all is done: without it the broker keeps the identifier for ever.
        (ExactlyOnce, Received, Some(Released | Complete) | None) => Ok(Step::Release),
        (ExactlyOnce, Completed, Some(Released)) => Ok(Step::Reach(Complete)),
        (ExactlyOnce, Completed, Some(Complete) | None) => Ok(Step::Ignore),
        (ExactlyOnce, Completed, Some(Published)) => Err(Breach::CompletedBeforeReceived),

        (AtLeastOnce | ExactlyOnce, Refused, Some(Published)) => Ok(Step::Reach(Complete)),
        (AtLeastOnce | ExactlyOnce, Refused, Some(Complete) | None)
        | (ExactlyOnce, Refused, Some(Released)) => Ok(Step::Ignore),

        (AtMostOnce, ..) => Err(Breach::ReplyAtQoS0),
        (AtLeastOnce, Received | Completed, _) => Err(Breach::NotAccepted),
        (ExactlyOnce, Accepted, Some(Released)) => Err(Breach::AcceptedAfterReceived),
        (AtLeastOnce, Accepted | Refused, Some(Queued | Released))
        | (ExactlyOnce, _, Some(Queued)) => Err(Breach::Unsent),
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
        use {QoS::*, Reply::*};
        let done = Ok(Step::Reach(Stage::Complete));
        let pubrel = Ok(Step::Release);
        let ignore = Ok(Step::Ignore);
        let wrong1 = Err(Breach::NotAccepted);
        let late = Err(Breach::AcceptedAfterReceived);
        let qos0 = Err(Breach::ReplyAtQoS0);
        let unsent = Err(Breach::Unsent);
        let early = Err(Breach::CompletedBeforeReceived);
        //                          not in flight, queued, published, released, complete
        let table = [
            (AtMostOnce, Accepted, [qos0; 5]),
            (AtMostOnce, Refused, [qos0; 5]),
            (AtMostOnce, Received, [qos0; 5]),
            (AtMostOnce, Completed, [qos0; 5]),
            // A QoS 1 message is never Released; the impossible pair is refused like an unsent one's.
            (
                AtLeastOnce,
                Accepted,
                [ignore, unsent, done, unsent, ignore],
            ),
            (AtLeastOnce, Refused, [ignore, unsent, done, unsent, ignore]),
            (AtLeastOnce, Received, [wrong1; 5]),
            (AtLeastOnce, Completed, [wrong1; 5]),
            // A broker that has no QoS 2.
            (ExactlyOnce, Accepted, [ignore, unsent, done, late, ignore]),
            // One that was received, and is refused after all, waits for the end of its release.
            (ExactlyOnce, Refused, [ignore, unsent, done, ignore, ignore]),
            (
                ExactlyOnce,
                Received,
                [pubrel, unsent, pubrel, pubrel, pubrel],
            ),
            (
                ExactlyOnce,
                Completed,
                [ignore, unsent, early, done, ignore],
            ),
        ];
        for (qos, reply, results) in table {
            for (stage, expected) in STAGES.into_iter().zip(results) {
                assert_eq!(
                    step(qos, stage, reply),
                    expected,
                    "{qos:?} {reply:?} at {stage:?}"
                );
            }
        }
    }
}
