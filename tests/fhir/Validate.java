import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.google.gson.Gson;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.CodeSystem;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.hl7.fhir.r4.model.ValueSet;

/**
 * Judges Bundles by HAPI FHIR's validator, base R4 and, where a folder of profiles is given, these.
 *
 * <p>Arguments: a file with a Bundle on each line, then perhaps the folder. For each line one line of JSON comes out: a list of
 * {severity, place, message}, without what is information only.
 */
public final class Validate {
  private Validate() {}

  /** Reads, judges, prints. */
  public static void main(String[] arguments) throws IOException {
    FhirContext context = FhirContext.forR4();
    PrePopulatedValidationSupport given = new PrePopulatedValidationSupport(context);
    if (arguments.length > 1) {
      read(context, Path.of(arguments[1]), given);
    }
    FhirInstanceValidator rules =
        new FhirInstanceValidator(
            new ValidationSupportChain(
                new DefaultProfileValidationSupport(context),
                given,
                new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context),
                new SnapshotGeneratingValidationSupport(context)));
    rules.setErrorForUnknownProfiles(false);
    FhirValidator validator = context.newValidator().registerValidatorModule(rules);
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    Gson gson = new Gson();
    for (String line : Files.readAllLines(Path.of(arguments[0]))) {
      out.println(gson.toJson(judge(validator, line)));
    }
  }

  private static void read(FhirContext context, Path folder, PrePopulatedValidationSupport into)
      throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(path -> isResource(path.getFileName().toString())).sorted().toList()) {
        Resource resource = (Resource) context.newJsonParser().parseResource(Files.readString(file));
        if (resource instanceof StructureDefinition profile) {
          into.addStructureDefinition(profile);
        } else if (resource instanceof ValueSet values) {
          into.addValueSet(values);
        } else if (resource instanceof CodeSystem system) {
          into.addCodeSystem(system);
        }
      }
    }
  }

  private static boolean isResource(String name) {
    return name.endsWith(".json")
        && (name.startsWith("StructureDefinition-")
            || name.startsWith("ValueSet-")
            || name.startsWith("CodeSystem-"));
  }

  private static List<Map<String, String>> judge(FhirValidator validator, String bundle) {
    List<Map<String, String>> found = new ArrayList<>();
    for (SingleValidationMessage one : validator.validateWithResult(bundle).getMessages()) {
      if (one.getSeverity().ordinal() > 0) {
        found.add(
            Map.of(
                "severity", one.getSeverity().getCode(),
                "place", String.valueOf(one.getLocationString()),
                "message", String.valueOf(one.getMessage())));
      }
    }
    return found;
  }
}
