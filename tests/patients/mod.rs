mod access_report;
mod contract;
mod identifiers;
mod merge;
mod pages;
mod proxies;
