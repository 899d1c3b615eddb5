//! The whole house as one process, used over HTTP only, by what dev.json tells; and its pages, in a browser.

mod chromium;
mod house;
mod main_job;
mod pages;
mod passkeys;
mod people;
mod week;
