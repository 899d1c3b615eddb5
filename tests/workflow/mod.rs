//! Tasks, workflows and custom fields.
mod fields;
mod running;
