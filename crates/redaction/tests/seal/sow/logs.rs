//! Log records with a marker in every place.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use super::Sower;

impl Sower {
    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        let group = |sower: &mut Self| ResourceLogs {
            resource: Some(sower.resource()),
            scope_logs: (0..=sower.below(2)).map(|_| sower.scope_logs()).collect(),
            schema_url: sower.hidden(),
        };
        ExportLogsServiceRequest { resource_logs: (0..=self.below(2)).map(|_| group(self)).collect() }
    }

    fn scope_logs(&mut self) -> ScopeLogs {
        ScopeLogs {
            scope: Some(self.scope()),
            log_records: (0..=self.below(3)).map(|_| self.log_record()).collect(),
            schema_url: self.scope_url(),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        let in_trace = self.below(2) == 0;
        LogRecord {
            time_unix_nano: self.random(),
            observed_time_unix_nano: self.random(),
            severity_number: 17,
            severity_text: self.hidden(),
            body: Some(self.hidden_value(3)),
            attributes: self.attributes(),
            dropped_attributes_count: 0,
            flags: 1,
            trace_id: if in_trace { self.bytes::<16>() } else { Vec::new() },
            span_id: if in_trace { self.bytes::<8>() } else { Vec::new() },
            event_name: self.hidden(),
        }
    }
}
