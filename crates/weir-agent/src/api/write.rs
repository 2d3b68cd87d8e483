//! What changes something: only on the unix socket.

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use serde::Deserialize;
use weir_api::local::{Applied, Detached, NewEntry, RuleRow, Ruling};
use weir_api::spec::{BlockAction, Cidr};

use super::Api;
use super::error::Refused;
use super::server::Peer;

/// The routes.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/blocks", post(async |api: State<Api>, new: New| put(api, BlockAction::Deny, new).await))
        .route("/api/v1/allows", post(async |api: State<Api>, new: New| put(api, BlockAction::Allow, new).await))
        .route("/api/v1/blocks", delete(async |api: State<Api>, which| remove(api, BlockAction::Deny, which).await))
        .route("/api/v1/allows", delete(async |api: State<Api>, which| remove(api, BlockAction::Allow, which).await))
        .route("/api/v1/rules/{id}/approve", post(async |api, id, peer| rule(api, id, peer, Ruling::Approved).await))
        .route("/api/v1/rules/{id}/reject", post(async |api, id, peer| rule(api, id, peer, Ruling::Rejected).await))
        .route("/api/v1/detach", post(detach))
}

type New = Result<Json<NewEntry>, JsonRejection>;

async fn put(State(api): State<Api>, action: BlockAction, new: New) -> Result<Json<Applied>, Refused> {
    let Json(new) = new.map_err(|e| Refused(StatusCode::BAD_REQUEST, e.body_text()))?;
    Ok(Json(api.engine.put(action, new).await?))
}

/// `?cidr=` of what is to be removed.
#[derive(Deserialize)]
struct Which {
    cidr: String,
}

async fn remove(
    State(api): State<Api>,
    action: BlockAction,
    Query(Which { cidr }): Query<Which>,
) -> Result<Json<Applied>, Refused> {
    let cidr: Cidr =
        cidr.parse().map_err(|e: weir_api::spec::cidr::CidrError| Refused(StatusCode::BAD_REQUEST, e.to_string()))?;
    Ok(Json(api.engine.remove(action, cidr).await?))
}

async fn rule(
    State(api): State<Api>,
    Path(id): Path<String>,
    ConnectInfo(Peer { uid }): ConnectInfo<Peer>,
    ruling: Ruling,
) -> Result<Json<RuleRow>, Refused> {
    Ok(Json(api.engine.rule(id, ruling, uid).await?))
}

async fn detach(State(api): State<Api>) -> Result<Json<Detached>, Refused> {
    Ok(Json(Detached { removed: api.engine.detach().await? }))
}
