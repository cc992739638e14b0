"""A line of a conversation as calls, by the plan that the language model reads in it; imports all of talk but agent."""
