//! More than a collector can hold is refused so that it comes back, and what was acknowledged is not lost for it.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]
#![expect(clippy::disallowed_methods, reason = "answers are read by other code than they are written with")]

use std::collections::BTreeSet;
use std::time::Duration;

use prost::Message;
use tollgate_integration::Fleet;
use tollgate_integration::logs::{log, numbers};
use tollgate_testkit::{Client, Crowd, Service, http, wait_until};
use tonic::{Code, Status};

const LIMIT: Duration = Duration::from_secs(30);
const COLLECTOR: &str = "eu-west-collector-eu-west-a-0";
const GATEWAY: &str = "eu-west-gateway-0";
const PROTOBUF: &str = "application/x-protobuf";
/// The memory budget of the scaffold's node files.
const BUDGET: u64 = 128 << 20;
/// When the slowest half-sent message is given up.
const DEADLINE: Duration = Duration::from_secs(10);

/// Ten thousand beginnings of messages of a mebibyte, and what they cost.
fn half_sent(connections: usize, sent: usize) {
    let mut fleet = Fleet::lay_out();
    fleet.start([COLLECTOR]);
    let idle = fleet.peak_memory(COLLECTOR);
    let mut beginning = [&[0][..], &(1_u32 << 20).to_be_bytes()].concat();
    beginning.resize(5 + sent, 0x0a);
    let crowd = Crowd::start(fleet.otlp(COLLECTOR), connections, 10_000 / connections, beginning);
    wait_until(LIMIT, "all have begun", || crowd.begun() == 10_000);
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let served = || client.export(Service::Logs, log(1, 1000)).is_ok();
    wait_until(DEADLINE, "somebody who tries again is served while they hang", served);
    wait_until(LIMIT, "each of them is answered", || crowd.answers().values().sum::<usize>() == 10_000);
    let retryable = [Code::ResourceExhausted, Code::Unavailable].map(i32::from);
    assert!(crowd.answers().keys().all(|code| retryable.contains(code)), "{:?}", crowd.answers());
    client.export(Service::Logs, log(2, 1000)).unwrap();
    assert!(fleet.is_ready(COLLECTOR));
    let grown = fleet.peak_memory(COLLECTOR).saturating_sub(idle);
    assert!(grown < BUDGET, "{connections} connections, {sent} bytes: {} MiB more than when idle", grown >> 20);
}

#[test]
fn ten_thousand_half_sent_messages_stay_under_the_memory_budget() {
    half_sent(40, 64 << 10);
    if std::env::var_os("TOLLGATE_FULL").is_some() {
        half_sent(40, 1);
        half_sent(40, 512 << 10);
        half_sent(400, 64 << 10);
        half_sent(400, 512 << 10);
    }
}

#[test]
fn a_spent_disk_budget_refuses_until_the_backlog_drains_and_loses_nothing() {
    let mut fleet = Fleet::lay_out();
    // The least that each log can work with: eighty mebibytes for the logs.
    fleet.edit(&format!("nodes/{COLLECTOR}.yaml"), |text| text.replace("disk: 1GiB", "disk: 400MiB"));
    fleet.start([COLLECTOR]);
    let client = Client::plain(fleet.otlp(COLLECTOR));
    let mut acknowledged = 0;
    let refused = loop {
        match client.export(Service::Logs, log(acknowledged, 4 << 20)) {
            Ok(_) => acknowledged += 1,
            Err(refused) => break refused,
        }
        assert!(acknowledged < 40, "160 MiB were acknowledged on a budget of 80 MiB: something has been let go");
    };
    assert!(acknowledged >= 10, "only {acknowledged} of 4 MiB fit into 80 MiB");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(retry_delay(&refused) >= Some(1), "without RetryInfo SDKs give up: {refused:?}");
    let http = fleet.planned(COLLECTOR).otlp_http().unwrap();
    let reply = http::post(http, "/v1/logs", PROTOBUF, &[], &log(1000, 4 << 20)).unwrap();
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    client.export(Service::Traces, Vec::new()).unwrap();
    assert!(fleet.is_ready(COLLECTOR), "a full log is no reason to move away");

    fleet.start([GATEWAY]);
    let last = || client.export(Service::Logs, log(acknowledged, 1000)).is_ok();
    wait_until(LIMIT, "there is room again", last);
    let expected: BTreeSet<u64> = (0..=acknowledged).collect();
    let files = fleet.files(GATEWAY, "embedded", "logs");
    wait_until(LIMIT, "everything acknowledged has arrived", || numbers(&files).is_superset(&expected));
    assert_eq!(numbers(&files), expected, "what was refused is not there");
}

/// The delay of the `RetryInfo` of a status, in seconds.
fn retry_delay(status: &Status) -> Option<i64> {
    #[derive(Message)]
    struct RpcStatus {
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(message, tag = "2")]
        value: Option<RetryInfo>,
    }
    #[derive(Message)]
    struct RetryInfo {
        #[prost(message, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
    }
    let details = RpcStatus::decode(status.details()).unwrap().details;
    let info = details.into_iter().find(|any| any.type_url == "type.googleapis.com/google.rpc.RetryInfo")?;
    info.value?.retry_delay.map(|delay| delay.seconds)
}
