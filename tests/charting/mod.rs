//! The tooth chart and periodontal exams over the real database.
mod chart;
mod perio;
mod teeth;
