package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/** What the job needs of an event. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Told(String ticket, long occurred_at, String state, String priority) {}
