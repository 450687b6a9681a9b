use super::*;

fn shown(division: Division) -> String {
    let metrics = Metrics::new();
    let counters = Counters::register(&metrics, division);
    for signal in Signal::ALL {
        counters.receiver(signal, Transport::Grpc).accepted.inc_by(2);
        counters.receiver(signal, Transport::Http).refused.inc_by(3);
        let consumer = counters.consumer("link/us-east/central", signal);
        consumer.sent(4, 40);
        consumer.quarantined(5);
    }
    drop(counters.losses("sampler", Signal::Traces));
    metrics.encode()
}

/// Guarantees: dashboards made for the Collector read what it prints, with its labels; where an item of ours is another
/// thing than the Collector's, its name is ours.
#[test]
fn what_means_the_same_has_the_collectors_name() {
    let shown = shown(Division::Passing);
    for line in [
        r#"otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} 2"#,
        r#"otelcol_receiver_refused_spans_total{receiver="otlp",transport="http"} 3"#,
        r#"otelcol_receiver_accepted_log_records_total{receiver="otlp",transport="grpc"} 2"#,
        r#"otelcol_exporter_sent_spans_total{exporter="link/us-east/central"} 4"#,
        r#"otelcol_exporter_send_failed_log_records_total{exporter="link/us-east/central"} 5"#,
        r#"tollgate_receiver_accepted_metrics_total{receiver="otlp",transport="grpc"} 2"#,
        r#"tollgate_exporter_sent_metrics_total{exporter="link/us-east/central"} 4"#,
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("exporter=\"sampler\""), "who sends nothing is no exporter");
}

#[test]
fn only_who_judges_traces_shows_sampling() {
    let about = |division| shown(division).lines().filter(|line| line.contains("sampling")).count();
    assert_eq!(about(Division::Passing), 0);
    assert!(about(Division::Beside) > 0 && about(Division::Central) > 0);
}
