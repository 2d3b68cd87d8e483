//! What only reads.

use std::net::IpAddr;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use weir_api::local::{
    BaselineRow, CounterRow, EntryRow, Explanation, IncidentRow, PolicyStatus, RuleRow, SampleRow, Status, TargetRow,
};
use weir_api::spec::BlockAction;

use super::Api;
use super::error::Refused;
use crate::{decode, forensics, metrics, status};

/// Routes for everybody on this host.
pub(super) fn common() -> Router<Api> {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route(
            "/api/v1/status",
            get(async |State(api): State<Api>| -> Json<Status> { Json(status::status(&api.view)) }),
        )
        .route("/api/v1/counters", get(counters))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/rules", get(rules))
        .route("/api/v1/policy", get(policy))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/incidents/{id}", get(incident))
        .route("/api/v1/baselines/{*target}", get(baseline))
        .route("/api/v1/explain/{address}", get(explain_address))
        .route("/api/v1/blocks", get(async |State(api): State<Api>| entries(&api, BlockAction::Deny)))
        .route("/api/v1/allows", get(async |State(api): State<Api>| entries(&api, BlockAction::Allow)))
}

/// Routes that show packet contents.
pub(super) fn private() -> Router<Api> {
    Router::new().route("/api/v1/samples", get(samples)).route("/api/v1/incidents/{id}/pcap", get(pcap))
}

async fn readyz(State(api): State<Api>) -> (StatusCode, String) {
    let why = api.view.policy().not_ready();
    if why.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, why.join("\n") + "\n")
    }
}

async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Refused> {
    let text = metrics::text(&api.view).map_err(|e| Refused(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

async fn counters(State(api): State<Api>) -> Json<Vec<CounterRow>> {
    Json(status::counters(&api.view.policy(), &api.view.traffic()))
}

async fn targets(State(api): State<Api>) -> Json<Vec<TargetRow>> {
    Json(status::targets(&api.view.policy(), &api.view.traffic()))
}

async fn rules(State(api): State<Api>) -> Json<Vec<RuleRow>> {
    Json(api.view.rules().to_vec())
}

async fn incidents(State(api): State<Api>) -> Json<Vec<IncidentRow>> {
    Json(api.view.incidents().to_vec())
}

async fn incident(State(api): State<Api>, Path(id): Path<u64>) -> Result<Json<IncidentRow>, Refused> {
    let found = api.view.incident(id);
    let missing =
        || Refused(StatusCode::NOT_FOUND, format!("there is no incident {id}: `weir incidents` lists those there are"));
    found.map(Json).ok_or_else(missing)
}

async fn baseline(State(api): State<Api>, Path(target): Path<String>) -> Result<Json<BaselineRow>, Refused> {
    Ok(Json(api.engine.baseline(target).await?))
}

async fn pcap(State(api): State<Api>, Path(id): Path<u64>) -> Result<impl IntoResponse, Refused> {
    let evidence = api.engine.evidence(id).await?;
    let bytes = forensics::pcapng(&evidence).map_err(|e| Refused(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/x-pcapng")], bytes))
}

async fn policy(State(api): State<Api>) -> Json<PolicyStatus> {
    Json(status::policy_status(&api.view.policy()))
}

fn entries(api: &Api, action: BlockAction) -> Json<Vec<EntryRow>> {
    Json(status::entries(&api.view.policy(), action))
}

async fn explain_address(State(api): State<Api>, Path(address): Path<String>) -> Result<Json<Explanation>, Refused> {
    let ip: IpAddr = address.parse().map_err(|_| {
        let message = format!("`{address}` is not an address: write something like 192.0.2.10 or 2001:db8::10");
        Refused(StatusCode::BAD_REQUEST, message)
    })?;
    Ok(Json(api.engine.explain(ip).await?))
}

/// `?limit=` of samples.
#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn samples(State(api): State<Api>, Query(Limit { limit }): Query<Limit>) -> Json<Vec<SampleRow>> {
    let policy = api.view.policy();
    let recent: Vec<_> = api.view.recent().iter().take(limit.unwrap_or(100)).copied().collect();
    let names = api.view.rule_names();
    Json(recent.iter().map(|(time, sample)| decode::row(*time, sample, &policy, &names)).collect())
}
