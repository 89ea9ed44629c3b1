//! What the sandbox refuses, tried on threads of this process that put it on.
