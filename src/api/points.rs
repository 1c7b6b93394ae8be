//! Pickup points: lockers and offices of the carriers' directories.
//!
//! What always holds: only points that the newest complete reading has are found; directories are
//! no merchant's, so every token may search; whose account one was read with is told only to those
//! who see that account.

use super::gate::Call;
use super::problem::{Code, Problem};
use super::reply::{self, Answer};
use crate::canonical::ConnectionId;
use crate::canonical::connection::Owner;
use crate::store::Scope;
use crate::store::query::PointFilter;
use serde_json::{Value, json};
use std::collections::HashSet;

/// `GET /v1/pickup-points`.
pub async fn search(call: Call) -> Answer {
    let limit = call.params.parse::<usize>("limit")?.unwrap_or(20);
    let country = country(&call)?;
    let filter = PointFilter {
        network: call.params.text("network").map(str::to_owned),
        country,
        q: call.params.text("q").map(str::to_owned),
        near: near(&call)?,
        kind: call.params.word("kind")?,
        cod: call.params.parse::<bool>("cod")?.unwrap_or(false),
        limit,
    };
    let found = call.state.store.points(filter).await?;
    let seen = Accounts::of(&call).await?;
    let shown = found.into_iter().map(|found| {
        let mut point = serde_json::to_value(&found.point.point).map_err(Problem::internal)?;
        if let Value::Object(point) = &mut point {
            point.insert("distance_m".into(), json!(found.distance_m));
            point.insert(
                "connection_id".into(),
                seen.shown(found.point.connection_id),
            );
        }
        Ok(point)
    });
    reply::whole_list(shown.collect::<Result<Vec<_>, Problem>>()?)
}

/// `BG`, in either case.
fn country(call: &Call) -> Result<Option<String>, Problem> {
    let Some(text) = call.params.text("country") else {
        return Ok(None);
    };
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Ok(Some(text.to_ascii_uppercase()));
    }
    let what = "an ISO 3166-1 alpha-2 code is wanted, such as BG";
    let problem = Problem::new(Code::InvalidParameter, format!("`country`: {what}"));
    Err(problem.field("country", what))
}

/// `42.69,23.32`.
fn near(call: &Call) -> Result<Option<(f64, f64)>, Problem> {
    let Some(text) = call.params.text("near") else {
        return Ok(None);
    };
    let wanted = || {
        Problem::new(Code::InvalidParameter, "`near`: no place on the map").field(
            "near",
            "latitude and longitude in degrees, such as 42.69,23.32",
        )
    };
    let (lat, lon) = text.split_once(',').ok_or_else(wanted)?;
    let lat: f64 = lat.trim().parse().map_err(|_| wanted())?;
    let lon: f64 = lon.trim().parse().map_err(|_| wanted())?;
    if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) {
        Ok(Some((lat, lon)))
    } else {
        Err(wanted())
    }
}

/// `GET /v1/pickup-points/directories`.
pub async fn directories(call: Call) -> Answer {
    let found = call.state.store.directories().await?;
    let seen = Accounts::of(&call).await?;
    let shown = found.into_iter().map(|directory| {
        json!({
            "network": directory.network, "connection_id": seen.shown(directory.connection_id),
            "points": directory.points, "loaded_at": directory.loaded_at,
        })
    });
    reply::whole_list(shown.collect())
}

/// The accounts that the caller may be told of: its own and the operator's.
enum Accounts {
    All,
    Some(HashSet<ConnectionId>),
}

impl Accounts {
    async fn of(call: &Call) -> Result<Self, Problem> {
        let Some(own) = call.principal.merchant() else {
            return Ok(Self::All);
        };
        let all = call.state.store.connections(Scope::All).await?;
        let seen = all
            .into_iter()
            .filter(|account| account.merchant_id == own || account.owner == Owner::Operator);
        Ok(Self::Some(seen.map(|account| account.id).collect()))
    }
    fn shown(&self, id: ConnectionId) -> Value {
        match self {
            Self::Some(seen) if !seen.contains(&id) => Value::Null,
            _ => json!(id),
        }
    }
}
