//! Refusals as JSON with a fitting status.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use weir_api::local::ApiError;

use crate::engine::Refusal;

/// A refused request.
pub(super) struct Refused(pub StatusCode, pub String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(ApiError { error: self.1 })).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            Refusal::Unwise(_) => StatusCode::BAD_REQUEST,
            Refusal::Failed(_) | Refusal::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, refusal.to_string())
    }
}

/// Paths that lead nowhere.
pub(super) async fn not_found(uri: Uri) -> Refused {
    Refused(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {}; changes and samples need the unix socket", uri.path()),
    )
}
