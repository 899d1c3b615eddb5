//! Connections, their credentials and exchanges, exports, webhooks: what moves, what is refused, and that no secret is shown.
mod connections;
mod exports;
mod webhooks;
