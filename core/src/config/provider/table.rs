//! The limits of the providers, each with the page that it comes from. The one place for them.

use super::{Host, Limit, Provider, Rule};

const AWS_MQTT: &str = "https://docs.aws.amazon.com/iot/latest/developerguide/mqtt.html";
const AWS_PORTS: &str = "https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html";
const AWS_QUOTAS: &str = "https://docs.aws.amazon.com/general/latest/gr/iot-core.html";

const IOT_HUB_MQTT: &str = "https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub";

const EVENT_GRID_MQTT: &str = "https://learn.microsoft.com/azure/event-grid/mqtt-support";
const EVENT_GRID_RETAIN: &str = "https://learn.microsoft.com/azure/event-grid/mqtt-retain";

const HIVEMQ_ACCESS: &str = "https://docs.hivemq.com/hivemq-cloud/authn-authz.html";
/// A report: no page of the provider's was found that says so.
const HIVEMQ_SEEN: &str = "https://github.com/cniles/picow-iot/issues/6";

const EMQX_PORTS: &str =
    "https://docs.emqx.com/en/cloud/latest/deployments/port_guide_serverless.html";
const EMQX_QUOTAS: &str = "https://docs.emqx.com/en/cloud/latest/create/restriction.html";

const THINGSBOARD_MQTT: &str = "https://thingsboard.io/docs/paas/reference/mqtt-api/";
/// Its own source says what the page does not.
const THINGSBOARD_SOURCE: &str =
    "https://github.com/thingsboard/thingsboard, MqttTransportHandler.java";

pub(super) const PROVIDERS: &[Provider] = &[
    Provider {
        name: "AWS IoT Core",
        hosts: &[
            Host {
                end: ".amazonaws.com",
                label: ".iot.",
            },
            Host {
                end: ".amazonaws.com.cn",
                label: ".iot.",
            },
        ],
        limits: &[
            limit(Rule::Plain, "takes TLS only", AWS_PORTS),
            limit(
                Rule::PortOtherThan(&[8883, 443]),
                "listens on ports 8883 and 443",
                AWS_PORTS,
            ),
            limit(
                Rule::AlpnMissingAt(443),
                "wants x-amzn-mqtt-ca at port 443, or mqtt for a custom authorizer",
                AWS_PORTS,
            ),
            limit(
                Rule::Qos2,
                "takes QoS 0 and 1, and never acknowledges QoS 2",
                AWS_MQTT,
            ),
            limit(
                Rule::KeepAliveOver(1200),
                "takes 1200 seconds at most",
                AWS_QUOTAS,
            ),
            limit(
                Rule::InFlightOver(100),
                "takes 100 unacknowledged messages at most",
                AWS_QUOTAS,
            ),
            limit(
                Rule::RateOver(100),
                "takes 100 messages a second at most, and ignores what exceeds them",
                AWS_QUOTAS,
            ),
            limit(
                Rule::ClientIdOver(128),
                "takes 128 bytes at most",
                AWS_QUOTAS,
            ),
            limit(
                Rule::SlashesOver(7),
                "takes 7 slashes at most, not counting $aws/rules/<rule>/",
                AWS_QUOTAS,
            ),
        ],
    },
    Provider {
        name: "Azure IoT Hub",
        hosts: &[
            host(".azure-devices.net"),
            host(".azure-devices.cn"),
            host(".azure-devices.us"),
        ],
        limits: &[
            limit(Rule::Plain, "takes TLS only", IOT_HUB_MQTT),
            limit(
                Rule::PortOtherThan(&[8883]),
                "listens on port 8883",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::Qos2,
                "takes QoS 0 and 1, and closes the connection at QoS 2",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::Retain,
                "keeps no retained message: it hands it on with the property mqtt-retain",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::KeepAliveOver(1177),
                "takes 1177 seconds at most",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::ClientIdMissing,
                "wants the ID of the device, as it is registered there",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::UsernameOfIotHub,
                "wants <ip>/<client_id>/?api-version=2021-04-12",
                IOT_HUB_MQTT,
            ),
            limit(
                Rule::TopicOfIotHub,
                "takes devices/<client_id>/messages/events/ only, and properties behind it",
                IOT_HUB_MQTT,
            ),
        ],
    },
    Provider {
        name: "Azure Event Grid",
        hosts: &[host(".eventgrid.azure.net")],
        limits: &[
            limit(Rule::Plain, "takes TLS only", EVENT_GRID_MQTT),
            limit(
                Rule::PortOtherThan(&[8883]),
                "listens on port 8883",
                EVENT_GRID_MQTT,
            ),
            limit(
                Rule::Qos2,
                "takes QoS 0 and 1, and closes the connection at QoS 2",
                EVENT_GRID_MQTT,
            ),
            limit(
                Rule::Retain,
                "closes the connection at a retained message, except where the namespace has MQTT Retain",
                EVENT_GRID_RETAIN,
            ),
            limit(
                Rule::KeepAliveOver(1160),
                "takes 1160 seconds at most",
                EVENT_GRID_MQTT,
            ),
        ],
    },
    Provider {
        name: "HiveMQ Cloud",
        hosts: &[host(".hivemq.cloud")],
        limits: &[
            limit(Rule::Plain, "takes TLS only", HIVEMQ_SEEN),
            limit(
                Rule::PortOtherThan(&[8883]),
                "listens on port 8883",
                HIVEMQ_SEEN,
            ),
            limit(
                Rule::Unidentified,
                "lets nobody in without a user name or a client certificate",
                HIVEMQ_ACCESS,
            ),
        ],
    },
    Provider {
        name: "EMQX Cloud (Serverless)",
        hosts: &[host(".emqxsl.com"), host(".emqxsl.cn")],
        limits: &[
            limit(Rule::Plain, "takes TLS only", EMQX_PORTS),
            limit(
                Rule::PortOtherThan(&[8883]),
                "listens on port 8883",
                EMQX_PORTS,
            ),
            limit(
                Rule::UsernameMissing,
                "lets nobody in without a user name and a password",
                EMQX_QUOTAS,
            ),
            limit(
                Rule::RateOver(10),
                "takes 10 messages a second at most",
                EMQX_QUOTAS,
            ),
            limit(
                Rule::ClientIdOver(1024),
                "takes 1024 bytes at most",
                EMQX_QUOTAS,
            ),
        ],
    },
    Provider {
        name: "ThingsBoard",
        hosts: &[host(".thingsboard.cloud"), host(".thingsboard.io")],
        limits: &[
            limit(
                Rule::Csv,
                "takes JSON and closes the connection at CSV, which is what is sent",
                THINGSBOARD_SOURCE,
            ),
            limit(
                Rule::PortOtherThan(&[1883, 8883]),
                "listens on port 8883, and without TLS on port 1883",
                THINGSBOARD_MQTT,
            ),
            limit(Rule::Qos2, "takes QoS 0 and 1", THINGSBOARD_MQTT),
            limit(
                Rule::TopicWithout(&["v1/devices/me/", "v1/gateway/", "v2/"]),
                "throws away what goes to another topic than v1/devices/me/telemetry and its other own ones, except where the device profile names it",
                THINGSBOARD_SOURCE,
            ),
        ],
    },
];

const fn host(end: &'static str) -> Host {
    Host { end, label: "" }
}

const fn limit(rule: Rule, words: &'static str, page: &'static str) -> Limit {
    Limit { rule, words, page }
}
