import java.io.File;
import org.apache.avro.SchemaParser;
import org.apache.avro.compiler.specific.SpecificCompiler;
import org.apache.avro.generic.GenericData;

/** Makes Java classes of schemas as avro-maven-plugin does: the folder for the classes, then the schemas' files. */
class Generate {
    public static void main(String[] arguments) throws Exception {
        for (int place = 1; place < arguments.length; place++) {
            var file = new File(arguments[place]);
            var compiler = new SpecificCompiler(new SchemaParser().parse(file).mainSchema());
            compiler.setStringType(GenericData.StringType.String);
            compiler.compileToDestination(file, new File(arguments[0]));
        }
    }
}
