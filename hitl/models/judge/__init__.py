"""A language model that judges items by the policy: what it is asked, what it answered, and what that cost."""
