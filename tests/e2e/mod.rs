//! The whole house as one process, used over HTTP only, by what dev.json tells.

mod house;
mod main_job;
mod people;
mod week;
