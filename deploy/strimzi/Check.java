// Reads KafkaTopic manifests from standard input into Strimzi's own model and writes them again: what Strimzi does not
// know, or takes for something else, is named. `java -cp 'JARS/*' Check.java < topics.yaml`

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import java.util.List;

public class Check {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper yaml = new ObjectMapper(new YAMLFactory());
        int count = 0;
        boolean good = true;
        try (MappingIterator<JsonNode> documents = yaml.readerFor(JsonNode.class).readValues(System.in)) {
            while (documents.hasNext()) {
                JsonNode told = documents.next();
                KafkaTopic topic = yaml.treeToValue(told, KafkaTopic.class);
                good &= is(told, "version", List.of("v1").contains(told.path("apiVersion").asText().replaceFirst(".*/", "")));
                good &= is(told, "kind", KafkaTopic.RESOURCE_KIND.equals(told.path("kind").asText()));
                good &= is(told, "unknown members " + topic.getAdditionalProperties(), topic.getAdditionalProperties().isEmpty());
                good &= is(told, "unknown members of spec " + topic.getSpec().getAdditionalProperties(),
                    topic.getSpec().getAdditionalProperties().isEmpty());
                JsonNode again = yaml.valueToTree(topic);
                good &= is(told, "read as " + again, again.equals(told));
                count++;
            }
        }
        good &= count > 0;
        System.out.println(good ? count + " KafkaTopics are as Strimzi reads them" : "not as Strimzi reads them");
        System.exit(good ? 0 : 1);
    }

    private static boolean is(JsonNode told, String what, boolean holds) {
        if (!holds) {
            System.err.println(told.path("metadata").path("name").asText() + ": " + what);
        }
        return holds;
    }
}
