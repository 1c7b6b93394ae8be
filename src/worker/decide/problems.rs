//! What people see of records that cannot be read or decided, and of codes that nobody knows.
//!
//! What always holds: places, codes and kinds are named, values never.

use crate::canonical::inbox::{InboxRecord, WireDelivery};
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, ProblemId};
use crate::flow::FlowError;
use crate::flow::change::NewProblem;
use crate::mapping::Drift;
use crate::worker::mapped::Failure;
use serde_json::{Value, json};

/// What a person needs to find the record: its topic, place and subject beside the failure's own.
pub(super) fn detail(failure: &Value, row: &InboxRecord) -> Value {
    let mut detail = json!({
        "record": row.id,
        "topic": row.topic,
        "index": row.index,
        "external_id": row.external_id,
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut detail, failure) {
        all.extend(own.clone());
    }
    detail
}

pub(super) fn refused(error: &FlowError) -> Failure {
    Failure {
        code: error.code().to_owned(),
        message: error.to_string(),
        detail: json!({ "fields": error.fields() }),
        hint: "The bytes are kept. Mend the connector's mapping so that it tells what is missing; the record is then mapped again.",
    }
}

/// Longest code that a drift problem repeats.
const CODE: usize = 80;

/// A code that no table knows.
pub fn drift(connection_id: ConnectionId, drift: &Drift) -> NewProblem {
    let key: String = drift.key.chars().take(CODE).collect();
    NewProblem {
        id: ProblemId::new(),
        class: Class::Drift,
        code: "unknown_code".to_owned(),
        subject: format!("{}:{key}", drift.table),
        connection_id: Some(connection_id),
        message: format!(
            "the table {} does not know a code that the provider sends",
            drift.table
        ),
        detail: json!({ "table": drift.table, "code": key }),
        hint: Some("Add the code to the connector's table. Work goes on meanwhile.".to_owned()),
    }
}

pub(super) fn unknown_topic(wire: &WireDelivery, topic: &str) -> NewProblem {
    let topic: String = topic.chars().take(CODE).collect();
    NewProblem {
        id: ProblemId::new(),
        class: Class::Drift,
        code: "unknown_topic".to_owned(),
        subject: format!("topic:{topic}"),
        connection_id: Some(wire.connection_id),
        message: "the provider sends a topic that the manifest does not name".to_owned(),
        detail: json!({ "topic": topic }),
        hint: Some("Name the topic in the connector's manifest, or ignore it there.".to_owned()),
    }
}
