//! What a file's name says to the Go build.
